"""Wire formats: the envelopes we publish, the payment messages we understand, JSON, trace context.

Imports the domain alone.
"""
