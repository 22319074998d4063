"""An issuer of tokens to try the service with: it signs one for every caller and any name. Never for production.

    GET  /.well-known/jwks.json          the keys that verify its tokens
    POST /token {"user", "admin"?}       {"token"}: valid for a day

Its arguments are the issuer and the audience. It listens on port 8080 of all addresses and stores its key in /keys.
"""

import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from booking_dev.tokens import ADMIN_PERMISSIONS, DevTokens

PORT = 8080
KEYS = Path("/keys")


def handler(tokens: DevTokens) -> type[BaseHTTPRequestHandler]:
    """The handler of the two routes."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            known = self.path == "/.well-known/jwks.json"
            self.say(HTTPStatus.OK, tokens.jwks()) if known else self.say(HTTPStatus.NOT_FOUND, {})

        def do_POST(self) -> None:
            if self.path != "/token":
                self.say(HTTPStatus.NOT_FOUND, {})
                return
            try:
                wish = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
                signed = tokens.sign(wish["user"], ADMIN_PERMISSIONS if wish.get("admin") else ())
            except (ValueError, TypeError, KeyError, AttributeError):
                self.say(HTTPStatus.BAD_REQUEST, {"error": 'send {"user": "…"}, and "admin": true if it shall be one'})
            else:
                self.say(HTTPStatus.OK, {"token": signed})

        def say(self, status: HTTPStatus, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def main(issuer: str, audience: str, keys: Path = KEYS, port: int = PORT) -> None:
    """Answer until the process is ended."""
    tokens = DevTokens(keys, issuer, audience)
    ThreadingHTTPServer(("0.0.0.0", port), handler(tokens)).serve_forever()  # noqa: S104 - its container's


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
