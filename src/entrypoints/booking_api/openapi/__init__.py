"""The description of the API as OpenAPI 3.1, written by hand. May import booking_api's routes, http and auth.

Codes, limits and enumerations are taken from the code. One module each has the paths of a subject, the schemas,
error responses, headers and examples; `document` puts them together, and `serving` has the routes.
"""
