"""The description of this API as OpenAPI 3.1, written by hand; what the code can say itself is taken from the code.

`document` puts it together, `serving` answers it at `/openapi.json`. Each room beside them holds one kind of thing:
paths by their subject, the shapes of what is said, errors, headers, examples.
"""
