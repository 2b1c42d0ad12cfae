"""A collector of traces on loopback: takes OTLP over HTTP, and keeps every span."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


@dataclass(frozen=True)
class Span:
    service: str
    name: str
    trace: str
    id: str
    parent: str
    """Empty for a trace's first span."""
    facts: Mapping[str, object]
    failed: bool
    events: int


@dataclass
class Collector:
    url: str = ""
    spans: list[Span] = field(default_factory=list)

    def named(self, name: str, service: str = "") -> list[Span]:
        return [one for one in self.spans if one.name == name and service in {"", one.service}]

    def parent_of(self, span: Span) -> Span:
        (found,) = [one for one in self.spans if one.id == span.parent]
        return found

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {one.key: value_of(one.value) for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for one in scope.spans:
                    self.spans.append(
                        Span(
                            str(about["service.name"]), one.name, one.trace_id.hex(), one.span_id.hex(),
                            one.parent_span_id.hex(), {fact.key: value_of(fact.value) for fact in one.attributes},
                            one.status.code == 2, len(one.events),
                        )
                    )  # fmt: skip


def value_of(value: AnyValue) -> object:
    return getattr(value, str(value.WhichOneof("value")))


@contextmanager
def collector() -> Iterator[Collector]:
    taken = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            taken.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taken.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
