"""`/openapi.json` and `/docs`: the document, and a page that shows it with files of this server alone."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from attrs import frozen
from flask import Flask, Response
from msgspec.json import encode
from werkzeug.exceptions import NotFound

from booking_api.http.request import current_api_request

OURS: Final = "booking_api.openapi"
THEIRS: Final = "flask_swagger_ui"
"""The package that brings Swagger UI. Its files are all that is used of it."""

_CSS, _JS, _PNG = "text/css; charset=utf-8", "text/javascript; charset=utf-8", "image/png"
_ASSETS: Final = {
    "page.css": (OURS, "page", _CSS),
    "page.js": (OURS, "page", _JS),
    "swagger-ui.css": (THEIRS, "dist", _CSS),
    "swagger-ui-bundle.js": (THEIRS, "dist", _JS),
    "favicon-32x32.png": (THEIRS, "dist", _PNG),
}
# Nothing from elsewhere and no script within the page; the icons of Swagger UI's styles are data.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@frozen
class File:
    """What is sent, and the tag that tells one version of it from another."""

    body: bytes
    tag: str

    @classmethod
    def of(cls, body: bytes) -> "File":
        """With a tag of its own."""
        return cls(body, sha256(body).hexdigest()[:16])


def add_description_routes(app: Flask) -> None:
    """`/openapi.json`, `/docs` and what that page loads; none of them asks for a token."""
    app.add_url_rule("/openapi.json", "openapi", openapi, methods=["GET"])
    app.add_url_rule("/docs", "docs", docs, methods=["GET"])
    app.add_url_rule("/docs/<asset>", "docs_asset", docs_asset, methods=["GET"])


def openapi() -> Response:
    """200 with the document."""
    return _kept(_document(), "application/json")


def docs() -> Response:
    """200 with the page."""
    answer = _kept(_file(OURS, "page", "page.html"), "text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer


def docs_asset(asset: str) -> Response:
    """200 with one of the files that the page loads, and of no others."""
    if asset not in _ASSETS:
        raise NotFound()
    package, folder, content_type = _ASSETS[asset]
    return _kept(_file(package, folder, asset), content_type)


def _kept(file: File, content_type: str) -> Response:
    """The file; 304 for a caller that has it."""
    request = current_api_request()
    request.may_be_cached = True
    answer = Response(file.body, content_type=content_type)
    answer.set_etag(file.tag)
    answer.make_conditional(request)
    return answer


@cache
def _document() -> File:
    # Not before somebody asks: no start has to wait for it.
    from booking_api.openapi.document import document

    return File.of(encode(document()))


@cache
def _file(package: str, folder: str, name: str) -> File:
    return File.of((files(package) / folder / name).read_bytes())
