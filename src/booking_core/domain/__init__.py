"""The rules, pure: aggregate, lifecycle, policies, values, domain events and errors.

Imports attrs and nothing else of ours.
"""
