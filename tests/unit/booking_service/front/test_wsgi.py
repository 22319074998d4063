"""The environ, and the call."""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.validate import validator

from attrs import define, field

from booking_service.front.wsgi import call, environ_of, give_body


@define
class Scope:
    """What granian says of a request."""

    method: str = "POST"
    path: str = "/api/v1/bookings"
    query_string: str = "page=2"
    server: str = "127.0.0.1:8000"
    client: str = "10.0.0.7:5555"
    scheme: str = "http"
    http_version: str = "1.1"
    authority: str | None = None
    headers: list[tuple[str, str]] = field(factory=list)


def test_the_environ_of_a_request() -> None:
    environ = environ_of(
        Scope(), [("host", "example.com"), ("content-type", "application/json"), ("x-a", "1"), ("x-a", "2")]
    )

    assert environ["REQUEST_METHOD"] == "POST"
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/api/v1/bookings", "page=2")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", "8000")
    assert (environ["CONTENT_TYPE"], environ["HTTP_X_A"]) == ("application/json", "1,2")
    assert (environ["HTTP_HOST"], environ["REMOTE_ADDR"]) == ("example.com", "10.0.0.7")
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_http_2_names_the_host_elsewhere() -> None:
    assert environ_of(Scope(authority="example.com"), [])["HTTP_HOST"] == "example.com"


def test_a_body_has_the_length_that_it_has() -> None:
    environ = environ_of(Scope(), [("content-length", "999"), ("transfer-encoding", "chunked")])

    give_body(environ, b"four")

    assert (environ["CONTENT_LENGTH"], environ["wsgi.input"].read()) == ("4", b"four")
    assert "HTTP_TRANSFER_ENCODING" not in environ


class Parts(list[bytes]):
    closed = False

    def close(self) -> None:
        self.closed = True


def test_the_whole_answer_and_the_end_of_it() -> None:
    parts = Parts([b"one ", b"two"])

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("201 Created", [("X-A", "1")])
        return parts

    assert call(application, {}) == (201, [("X-A", "1")], b"one two")  # type: ignore[arg-type]
    assert parts.closed


def test_it_keeps_the_rules_of_wsgi() -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read(99)]

    environ = environ_of(Scope(), [("host", "example.com")])
    give_body(environ, b"hello")

    assert call(validator(application), environ)[2] == b"hello"  # type: ignore[arg-type]
