"""Who signs the tokens of the benchmark's customers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from booking_dev.tokens import DevTokens

ISSUER: Final = "https://bench.invalid/"
AUDIENCE: Final = "booking-bench"


@contextmanager
def serving_keys(tokens: DevTokens) -> Iterator[str]:
    """Serves the issuer's keys over HTTP; their URL."""
    body = json.dumps(tokens.jwks()).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def settings_of(jwks_url: str) -> dict[str, str]:
    """What `booking serve` is told about the issuer."""
    return {"BOOKING_JWT_ISSUER": ISSUER, "BOOKING_JWT_AUDIENCE": AUDIENCE, "BOOKING_JWT_JWKS_URL": jwks_url}
