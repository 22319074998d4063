"""The routes `/openapi.json` and `/docs`: the document, and a page that shows it, with files of this server only."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from attrs import frozen
from flask import Flask, Response
from msgspec.json import encode
from werkzeug.exceptions import NotFound

from booking_api.http.flask_app import current_api_request

_OWN: Final = "booking_api.openapi"
_SWAGGER_UI: Final = "flask_swagger_ui"
"""The package with the files of Swagger UI; nothing else of it is used."""

_CSS, _JS, _PNG = "text/css; charset=utf-8", "text/javascript; charset=utf-8", "image/png"
_ASSETS: Final = {
    "page.css": (_OWN, "page", _CSS),
    "page.js": (_OWN, "page", _JS),
    "swagger-ui.css": (_SWAGGER_UI, "dist", _CSS),
    "swagger-ui-bundle.js": (_SWAGGER_UI, "dist", _JS),
    "favicon-32x32.png": (_SWAGGER_UI, "dist", _PNG),
}
# No other origin and no inline script; the icons in Swagger UI's styles are data.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@frozen
class File:
    """The body of a file, and the ETag of its version."""

    body: bytes
    tag: str

    @classmethod
    def of(cls, body: bytes) -> "File":
        """A file with the ETag of this body."""
        return cls(body, sha256(body).hexdigest()[:16])


def add_description_routes(app: Flask) -> None:
    """Add `/openapi.json`, `/docs` and the files of that page; none of them requires a token."""
    app.add_url_rule("/openapi.json", "openapi", openapi, methods=["GET"])
    app.add_url_rule("/docs", "docs", docs, methods=["GET"])
    app.add_url_rule("/docs/<asset>", "docs_asset", docs_asset, methods=["GET"])


def openapi() -> Response:
    """200 with the document."""
    return _cacheable(_document(), "application/json")


def docs() -> Response:
    """200 with the page."""
    response = _cacheable(_file(_OWN, "page", "page.html"), "text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def docs_asset(asset: str) -> Response:
    """200 with one of the files that the page loads; 404 for any other name."""
    if asset not in _ASSETS:
        raise NotFound()
    package, folder, content_type = _ASSETS[asset]
    return _cacheable(_file(package, folder, asset), content_type)


def _cacheable(file: File, content_type: str) -> Response:
    """The file; 304 for a client that has it."""
    request = current_api_request()
    request.may_be_cached = True
    response = Response(file.body, content_type=content_type)
    response.set_etag(file.tag)
    response.make_conditional(request)
    return response


@cache
def _document() -> File:
    # Imported by the first request: a start should not wait for it.
    from booking_api.openapi.document import document

    return File.of(encode(document()))


@cache
def _file(package: str, folder: str, name: str) -> File:
    return File.of((files(package) / folder / name).read_bytes())
