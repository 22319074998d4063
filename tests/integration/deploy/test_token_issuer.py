"""The issuer of deploy/compose.yaml: whom it lets in, the API lets in."""

import importlib.util
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest

from booking_dev.tokens import DevTokens

FILE = Path(__file__).parents[3] / "deploy" / "compose" / "token_issuer.py"
ISSUER, AUDIENCE = "http://tokens:8080/", "booking"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("token_issuer", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), load().handler(DevTokens(tmp_path, ISSUER, AUDIENCE)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(60)


def asked(url: str, body: bytes | None = None) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, body, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def claims(issuer: str, wish: object) -> Any:
    _, answer = asked(f"{issuer}/token", json.dumps(wish).encode())
    _, keys = asked(f"{issuer}/.well-known/jwks.json")
    [key] = jwt.PyJWKSet.from_dict(keys).keys
    return jwt.decode(answer["token"], key, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)


def test_its_keys_verify_its_tokens(issuer: str) -> None:
    assert claims(issuer, {"user": "alice"})["sub"] == "alice"
    assert claims(issuer, {"user": "alice"})["permissions"] == []
    assert "booking:admin" in claims(issuer, {"user": "root", "admin": True})["permissions"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'"alice"', b'{"user": ""}', b'{"user": 3}', b"not JSON"])
def test_a_wish_that_it_does_not_understand_is_told_so(issuer: str, body: bytes) -> None:
    assert asked(f"{issuer}/token", body)[0] == 400


def test_other_paths_are_nothing(issuer: str) -> None:
    assert asked(f"{issuer}/else")[0] == asked(f"{issuer}/else", b"{}")[0] == 404
