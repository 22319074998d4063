"""The seat map at `/` of `booking dev`: plain files beside this module, served as they are, to any browser.

What runs in the page comes from here alone, and talks to here alone: the policy in its header lets nothing else in.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from flask import Flask, Response, abort

PAGE: Final = "index.html"
ASSETS: Final = "/dev/seat-map/"

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
# `blob:` is for tickets, which are fetched with the customer's token.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types"
)
_HEADERS: Final = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
_PRELOADS: Final = "<!-- PRELOADS -->"


def add_page(app: Flask) -> None:
    """`/`, and what it is made of under `/dev/seat-map/`. Files are read when asked for: a change shows on reload."""
    assets = {each.name: each for each in files("booking_dev").joinpath("seat_map").iterdir() if _type(each)}

    def page() -> Response:
        return _answer(assets[PAGE], _with_preloads(assets[PAGE].read_text("utf-8"), sorted(assets)))

    def asset(name: str) -> Response:
        found = assets.get(name)
        if found is None or name == PAGE:
            abort(404)
        return _answer(found, found.read_text("utf-8"))

    app.add_url_rule("/", "seat_map", page, methods=["GET"])
    app.add_url_rule(f"{ASSETS}<name>", "seat_map_asset", asset, methods=["GET"])


def _with_preloads(html: str, names: list[str]) -> str:
    """Every module named in the page: else each is found only when the one before has been read."""
    links = (f'<link rel="modulepreload" href="{ASSETS}{name}">' for name in names if name.endswith(".js"))
    return html.replace(_PRELOADS, "\n  ".join(links))


def _type(file: Traversable) -> str | None:
    return _TYPES.get("." + file.name.rpartition(".")[2])


def _answer(file: Traversable, text: str) -> Response:
    return Response(text, content_type=_type(file), headers=_HEADERS)
