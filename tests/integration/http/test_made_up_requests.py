"""Whatever a caller makes up, the answer is below 500, in the envelope, and with its correlation id."""

import io
import json
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.api import ANN, BOOKINGS, EVENTS, ROOT, Api, Hall

SCRATCH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

# What a WSGI server can hand on: characters that stand for bytes.
RAW = st.text(st.characters(max_codepoint=255), max_size=40)
HEADER_VALUES = RAW | st.text(st.characters(max_codepoint=255), min_size=1, max_size=9000) | st.sampled_from(
    ["", "chunked", "gzip", "application/json", "multipart/form-data; boundary=x", "-1", "9" * 30, "bytes=0-", "[::1",
     "websocket", "Upgrade", "https://shop.test", "text/html; charset=\xff", '"', ",", "a=b; " * 50]
)  # fmt: skip
HEADERS = st.dictionaries(
    st.sampled_from(
        ["HTTP_HOST", "HTTP_X_CORRELATION_ID", "HTTP_IDEMPOTENCY_KEY", "HTTP_ORIGIN", "HTTP_COOKIE", "HTTP_UPGRADE",
         "HTTP_CONNECTION", "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING",
         "HTTP_RANGE", "HTTP_EXPECT", "HTTP_ACCEPT", "HTTP_X_FORWARDED_FOR", "HTTP_X_HTTP_METHOD_OVERRIDE",
         "HTTP_IF_NONE_MATCH", "CONTENT_TYPE", "CONTENT_LENGTH", "QUERY_STRING"]
    ),
    HEADER_VALUES,
    max_size=5,
)  # fmt: skip
METHODS = st.sampled_from(
    ["GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT", "get", "\xff"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
QUERIES = RAW | st.builds(
    "{}={}&{}={}".format,
    st.sampled_from(["page", "limit", "status"]),
    st.integers().map(str) | RAW.map(quote),
    st.sampled_from(["page", "limit", "status"]),
    st.sampled_from(["1", "100", "PENDING", "%ff", "%00"]),
)


@st.composite
def bodies(draw: st.DrawFn, hall: Hall) -> bytes:
    """Good ones, nearly good ones, random JSON and random bytes."""
    ids = st.sampled_from([*hall.ids(0, 1, 2, 3), str(hall.event_id), hall.ids(0)[0].upper()]) | st.uuids().map(str)
    kind = draw(st.sampled_from(["good", "good", "near", "near", "json", "bytes"]))
    if kind == "good":
        order = {
            "eventId": str(hall.event_id),
            "seatIds": draw(st.lists(st.sampled_from(hall.ids(0, 1, 2, 3)), min_size=1, unique=True)),
        }
        return json.dumps(draw(st.sampled_from([order, {"reason": "flood"}]))).encode()
    if kind == "near":
        fields = {
            "eventId": draw(ids | JSON),
            "seatIds": draw(st.lists(ids, max_size=12) | JSON),
            "reason": draw(st.text(max_size=300) | JSON),
        }
        kept = draw(st.sets(st.sampled_from(sorted(fields)), min_size=1))
        return json.dumps({name: fields[name] for name in kept}).encode()
    return json.dumps(draw(JSON)).encode() if kind == "json" else draw(st.binary(max_size=200))


ROUTES = [
    *[("POST", BOOKINGS)] * 4,
    *[("POST", f"{EVENTS}/{{}}/cancel")] * 2,
    ("GET", f"{BOOKINGS}/my"),
    ("GET", f"{BOOKINGS}/{{}}"),
    ("DELETE", f"{BOOKINGS}/{{}}"),
    ("GET", EVENTS),
    ("GET", f"{EVENTS}/{{}}"),
    ("GET", f"{EVENTS}/{{}}/seats"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/{}"),
]


@st.composite
def targets(draw: st.DrawFn, hall: Hall) -> tuple[str, str]:
    """A method and a path, which mostly know each other."""
    piece = RAW | st.uuids().map(str) | st.sampled_from([*[str(hall.event_id)] * 9, "my", "..", "%2e", "x" * 3000])
    method, shape = draw(st.sampled_from(ROUTES))
    return draw(st.just(method) | st.just(method) | METHODS), shape.replace("{}", draw(piece))


def asked(api: Api, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    """Straight to the application, as a server would: no client that tidies up what was made up."""
    seen: list[Any] = []
    base: dict[str, Any] = {
        "SERVER_NAME": "booking.test",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }

    def start(status: str, headers: list[tuple[str, str]], error: object = None, /) -> Callable[[bytes], object]:
        seen.extend((status, headers))
        return seen.append

    answer = api.client.application(base | environ, start)
    try:
        return int(seen[0][:3]), seen[1], b"".join(answer)
    finally:
        close = getattr(answer, "close", None)
        if close:
            close()


@SCRATCH
@given(data=st.data())
def test_no_made_up_request_gets_a_5xx(api: Api, hall: Hall, data: st.DataObject) -> None:
    body = data.draw(bodies(hall), label="body")
    method, path = data.draw(targets(hall), label="target")
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": data.draw(QUERIES, label="query"),
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": data.draw(st.booleans(), label="terminated"),
        **data.draw(HEADERS, label="headers"),
    }
    token = data.draw(st.sampled_from(["ann", "ann", "root", "root", "none", "x", "Bearer \xe9"]), label="token")
    if token in ("ann", "root"):
        signed = api.issuer.sign(ANN) if token == "ann" else api.issuer.sign(ROOT, ["booking:admin"])
        environ["HTTP_AUTHORIZATION"] = f"Bearer {signed}"
    elif token != "none":
        environ["HTTP_AUTHORIZATION"] = token

    status, headers, answer = asked(api, environ)

    assert 200 <= status < 500
    assert status not in range(300, 400)
    assert [name for name, _ in headers].count("X-Correlation-Id") == 1
    assert not any({"\r", "\n"} & set(name + value) for name, value in headers)
    if method != "HEAD" and path != "/metrics":
        assert json.loads(answer)["success"] is (status < 300)
