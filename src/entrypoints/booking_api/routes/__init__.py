"""The routes: each parses its request, calls a use case and renders the result. May import http, auth and service."""
