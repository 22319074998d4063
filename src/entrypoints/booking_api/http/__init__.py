"""Requests and responses: bodies, queries, rendering, errors, access log, metrics. May import auth, no route."""
