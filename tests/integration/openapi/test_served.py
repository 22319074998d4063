"""The description and its page as they are served: without a token, kept by callers, with nothing missing."""

import http.client
import json
import re
from typing import Any

import pytest

from tests.support.dev import Dev
from tests.support.live import Live


class Browser:
    """Asks one server, without a token."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read()
        finally:
            connection.close()


@pytest.fixture(params=["serve", "dev"])
def browser(request: pytest.FixtureRequest) -> Browser:
    server: Any = request.getfixturevalue("live" if request.param == "serve" else "dev")
    return Browser(server.port if isinstance(server, Live) else port_of(server))


def port_of(server: Dev) -> int:
    return int(server.url.rpartition(":")[2])


def test_the_document_is_kept_until_it_changes(browser: Browser) -> None:
    status, headers, body = browser.ask("/openapi.json")
    assert (status, headers["content-type"], headers["cache-control"]) == (200, "application/json", "no-cache")
    assert json.loads(body)["openapi"] == "3.1.1"

    again, said, nothing = browser.ask("/openapi.json", If_None_Match=headers["etag"])
    assert (again, nothing, said["etag"]) == (304, b"", headers["etag"])
    assert browser.ask("/openapi.json", If_None_Match='"another"')[2] == body
    assert browser.ask("/openapi.json", "HEAD")[2] == b""


def test_the_page_loads_only_what_is_served_here(browser: Browser) -> None:
    status, headers, page = browser.ask("/docs")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert not re.search(rb"<style|<script>|https?:|//", page)

    loaded = re.findall(r'(?:src|href)="(.+?)"', page.decode())
    assert len(loaded) == 6
    for each in loaded:
        status, said, body = browser.ask(f"/{each}")
        assert (status, said["x-content-type-options"], bool(body)) == (200, "nosniff", True), each
    kinds = [browser.ask(f"/docs/{name}")[1]["content-type"] for name in ("page.js", "page.css", "favicon-32x32.png")]
    assert kinds == ["text/javascript; charset=utf-8", "text/css; charset=utf-8", "image/png"]


@pytest.mark.parametrize("name", ["page.html", "swagger-ui.js", "..%2Fserving.py", "%2e%2e", ""])
def test_nothing_else_of_those_folders_is_served(browser: Browser, name: str) -> None:
    status, headers, body = browser.ask(f"/docs/{name}")

    assert (status, json.loads(body)["error"]["code"]) == (404, "NOT_FOUND")
    assert headers["cache-control"] == "no-store"


def test_other_methods_are_refused_in_the_envelope(browser: Browser) -> None:
    status, headers, body = browser.ask("/openapi.json", "POST")

    assert (status, json.loads(body)["error"]["code"], headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "GET, HEAD")
