"""The environ, and the call."""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.validate import validator

import pytest

from booking_server.gateway.application import call_wsgi, wsgi_environ
from booking_server.gateway.gateway import headers_of, is_host
from tests.support.rsgi import Scope


def environ(scope: Scope, body: bytes = b"", **headers: str) -> dict[str, Any]:
    return wsgi_environ(scope, {name.replace("_", "-"): text for name, text in headers.items()}, body)


def test_the_environ_of_a_request() -> None:
    found = environ(Scope(), host="example.com", content_type="application/json", x_a="1")

    assert found["REQUEST_METHOD"] == "POST"
    assert (found["PATH_INFO"], found["QUERY_STRING"]) == ("/api/v1/bookings", "page=2")
    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == ("127.0.0.1", "8000")
    assert (found["CONTENT_TYPE"], found["HTTP_X_A"]) == ("application/json", "1")
    assert (found["HTTP_HOST"], found["REMOTE_ADDR"]) == ("example.com", "10.0.0.7")
    assert found["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_a_path_is_what_wsgi_says_it_is() -> None:
    assert environ(Scope(path="/\u20ac"))["PATH_INFO"] == "/\xe2\x82\xac"


def test_a_name_with_an_underscore_passes_for_no_other() -> None:
    assert "HTTP_IDEMPOTENCY_KEY" not in wsgi_environ(Scope(), {"idempotency_key": "k"}, b"")


@pytest.mark.parametrize(("method", "taken"), [("POST", "POST"), ("post", "OTHER"), ("Get", "OTHER"), ("M-2", "M-2")])
def test_a_method_in_small_letters_is_another_method(method: str, taken: str) -> None:
    assert environ(Scope(method=method))["REQUEST_METHOD"] == taken


@pytest.mark.parametrize(
    ("host", "valid"),
    [
        *((host, True) for host in ("example.com", "example.com:8000", "[::1]:80", "127.0.0.1", "a_b", "")),
        *((host, False) for host in (None, "a,a", "a b", "a/b", "u@a", "a?b", "a#b", "\ufffd")),
    ],
)
def test_a_host_is_named_once_and_validly(host: str | None, valid: bool) -> None:
    assert is_host(host) is valid


def test_http_2_names_the_host_elsewhere() -> None:
    assert environ(Scope(authority="example.com"))["HTTP_HOST"] == "example.com"


def test_a_body_has_the_length_that_it_has() -> None:
    found = environ(Scope(), b"four", content_length="999", transfer_encoding="chunked")

    assert (found["CONTENT_LENGTH"], found["wsgi.input"].read()) == ("4", b"four")
    assert "HTTP_TRANSFER_ENCODING" not in found


@pytest.mark.parametrize(
    ("items", "headers"),
    [([("a", "1"), ("b", "2")], {"a": "1", "b": "2"}), ([("a", "1"), ("b", "2"), ("a", "3")], {"a": "1,3", "b": "2"})],
)
def test_a_header_that_is_given_twice_is_one(items: list[tuple[str, str]], headers: dict[str, str]) -> None:
    class Given:
        class headers:
            @staticmethod
            def items() -> list[tuple[str, str]]:
                return items

            @staticmethod
            def keys() -> list[str]:
                return [name for name, _ in items]

    assert headers_of(Given) == headers


class Parts(list[bytes]):
    closed = False

    def close(self) -> None:
        self.closed = True


def test_the_whole_answer_and_the_end_of_it() -> None:
    parts = Parts([b"one ", b"two"])

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("201 Created", [("X-A", "1")])
        return parts

    assert call_wsgi(application, {}) == (201, [("X-A", "1")], b"one two")
    assert parts.closed


def test_it_keeps_the_rules_of_wsgi() -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read(99)]

    assert call_wsgi(validator(application), environ(Scope(), b"hello", host="example.com"))[2] == b"hello"
