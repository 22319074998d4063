"""Routes behind a token."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from flask import Flask, Response

from booking_api.auth.flask import authenticate
from booking_api.auth.verifier import Identity
from booking_api.http.request import ApiRequest, current_api_request

P = ParamSpec("P")

View = Callable[Concatenate[ApiRequest, Identity, P], Response]


def add_guarded(app: Flask, method: str, path: str, name: str, view: View[P]) -> None:
    """Have `view` answer `method` at `path`. It is reached with a valid token alone, and is told whose it is.

    A path or a method that does not exist is 404 or 405 with or without a token: the API is public, its data is not.
    """

    def reached(*args: P.args, **pieces: P.kwargs) -> Response:
        request = current_api_request()
        identity = authenticate()
        request.user_id = identity.user_id
        return view(request, identity, *args, **pieces)

    app.add_url_rule(path, name, reached, methods=[method])
