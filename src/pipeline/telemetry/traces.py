"""Whether spans are made, and how: OpenTelemetry's, sent by OTLP, where an endpoint is named; else nothing at all.

Off, which it is unless somebody asks, this module imports nothing of OpenTelemetry and every function of it returns
at once. On, what is asked of other programs carries W3C's `traceparent`, and what another program asks of us goes on
with its trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any, Literal

from pipeline.errors import SettingsError

ENDPOINT_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""OpenTelemetry's own name for the address of a collector; the servers read it as it is."""
Kind = Literal["internal", "client", "server"]
Facts = Mapping[str, "str | int | float | bool"]

# How long one sending may take, all its tries together, and with it the end of a process whose collector is away.
_SEND_SECONDS = 5.0


class _Tracing:
    """What a process that makes spans needs for it."""

    def __init__(self, provider: Any) -> None:  # noqa: ANN401  # OpenTelemetry's, imported late
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self.provider = provider
        self.tracer = provider.get_tracer("pipeline")
        self.propagator = TraceContextTextMapPropagator()


_tracing: _Tracing | None = None


def configure(endpoint: str, *, service: str, version: str, session: Any = None) -> None:  # noqa: ANN401
    """Send spans to the collector at `endpoint` from now on; an empty one sends none, which is how it begins.

    `endpoint` is the address that OTEL_EXPORTER_OTLP_ENDPOINT means: `/v1/traces` is put behind it. `service` is what
    the spans say they are of. `session` is the requests session to send with.

    Raises SettingsError where the extra `otel` is not installed.
    """
    global _tracing  # noqa: PLW0603  # a process has one way to send spans
    end()
    if not endpoint:
        return
    if find_spec("opentelemetry.sdk") is None or find_spec("opentelemetry.exporter.otlp") is None:
        raise SettingsError(
            [f"{ENDPOINT_VARIABLE} is set, and what sends traces is not installed"],
            hint="pip install 'media-pipeline[otel]', or leave it unset.",
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_SEND_SECONDS, session=session)
    provider = TracerProvider(
        resource=Resource.create({"service.name": service, "service.version": version}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracing = _Tracing(provider)


def end() -> None:
    """Send what was not sent yet, for a few seconds at most, and make no more spans."""
    global _tracing
    ended, _tracing = _tracing, None
    if ended is not None:
        ended.provider.shutdown()


def on() -> bool:
    return _tracing is not None


# -- spans ---------------------------------------------------------------------------------------------------------


def span(
    name: str, facts: Facts | None = None, *, kind: Kind = "internal", under: object = None
) -> AbstractContextManager[object]:
    """A span while it lasts; what is begun inside it, on the same thread or task, is its child.

    `under` is what `begin` returned; else the parent is the span that this thread is in. A failure that leaves it is
    told in the span by its kind alone: an error's text may hold a topic's.
    """
    return nullcontext() if _tracing is None else _span(_tracing, name, facts, kind, under)


@contextmanager
def _span(tracing: _Tracing, name: str, facts: Facts | None, kind: Kind, under: object) -> Iterator[object]:
    from opentelemetry.trace import SpanKind, set_span_in_context

    context: Any = None if under is None else set_span_in_context(under)  # type: ignore[arg-type]  # as `begin` gave it
    kinds = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT, "server": SpanKind.SERVER}
    with tracing.tracer.start_as_current_span(
        name,
        context=context,
        kind=kinds[kind],
        attributes=dict(facts or {}),
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except BaseException as error:
            _fail(made, error)
            raise


def begin(name: str, facts: Facts | None = None) -> object:
    """A span of its own, the first of a trace, that lasts until `close`; None where no spans are made."""
    if _tracing is None:
        return None
    from opentelemetry.context import Context

    return _tracing.tracer.start_span(name, context=Context(), attributes=dict(facts or {}))


def inside(made: object) -> AbstractContextManager[object]:
    """While it lasts, this thread is in a span that `begin` returned, which goes on afterwards."""
    if made is None or _tracing is None:
        return nullcontext()
    from opentelemetry.trace import use_span

    return use_span(made, record_exception=False, set_status_on_exception=False)  # type: ignore[arg-type]  # a Span


def note(made: object, name: str, facts: Facts) -> None:
    """A span without length under one that `begin` returned: something that was there already."""
    with span(name, facts, under=made) if made is not None else nullcontext():
        pass


def tell(made: object, facts: Facts) -> None:
    """Put facts into a span that `span` or `begin` gave."""
    if made is not None:
        made.set_attributes(dict(facts))  # type: ignore[attr-defined]  # OpenTelemetry's Span


def close(made: object, error: BaseException | None = None) -> None:
    if made is not None:
        if error is not None:
            _fail(made, error)
        made.end()  # type: ignore[attr-defined]  # OpenTelemetry's Span


def _fail(made: Any, error: BaseException) -> None:  # noqa: ANN401
    from opentelemetry.trace import Status, StatusCode

    made.set_attribute("error.type", getattr(error, "code", type(error).__name__))
    made.set_status(Status(StatusCode.ERROR))


# -- between programs ------------------------------------------------------------------------------------------------


def going_out() -> Mapping[str, str]:
    """The headers by which another program goes on with this thread's trace; none where there is none."""
    if _tracing is None:
        return {}
    headers: dict[str, str] = {}
    _tracing.propagator.inject(headers)
    return headers


@contextmanager
def coming_in(headers: Mapping[str, str]) -> Iterator[None]:
    """While it lasts, spans go on with the trace that a request's headers (names in lower case) tell of.

    A `traceparent` that is none is as good as a missing one (W3C Trace Context, 3.2.2).
    """
    if _tracing is None or "traceparent" not in headers:
        yield
        return
    from opentelemetry.context import attach, detach

    token = attach(_tracing.propagator.extract(dict(headers)))
    try:
        yield
    finally:
        detach(token)


def ids() -> Mapping[str, str]:
    """`trace_id` and `span_id` of the span that this thread is in, in hexadecimal; none where there is none."""
    if _tracing is None:
        return {}
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
