"""An OpenTelemetry collector, as far as services see it: it takes what OTLP exporters send over HTTP."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from attrs import define, field, frozen
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@frozen(kw_only=True)
class Span:
    """What was told of one span; ids in hexadecimal, `parent` empty where there is none."""

    service: str
    name: str
    trace: str
    own: str
    parent: str


@define(eq=False)
class Collector:
    """`spans` in the order of their arrival."""

    port: int = 0
    spans: list[Span] = field(factory=list)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """On a port of its own, until the end of the block."""
        collector = cls()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            collector.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            yield collector
            server.shutdown()
            thread.join(60)

    def take(self, body: bytes) -> None:
        """One export."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(
                each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
            )
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        service=service,
                        name=span.name,
                        trace=span.trace_id.hex(),
                        own=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                    )
                    for span in scope.spans
                ]
