"""The commands, one module a group. May import every package.

A module is imported when one of its commands is called or completed.
"""
