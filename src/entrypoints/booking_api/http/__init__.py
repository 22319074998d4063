"""Requests and responses: bodies, queries, envelopes, errors, headers, access log. Imports no route."""
