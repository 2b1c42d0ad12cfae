"""What the API says of itself holds for whatever is sent: no failure of ours, no answer of another form.

A part runs with every test run, 3,000 requests with FAULTS=whole; the seed is the same each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from pipeline import telemetry
from tests.fakes.served import Served, project_of, served
from tests.faults.conftest import Tell, tell
from tests.faults.extent import SEED, WHOLE

__all__ = ["tell"]

EXAMPLES = 3_000 if WHOLE else 150
LOG = {"title": "The log", "mode": "read", "notes": "The wind rose before six."}

# Names that there are, so that not every answer is 404.
KNOWN = {"name": "the-log.md", "episode": "the-log", "voice": "en_US-fake-medium"}
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.unsupported_method,
]


class Session(requests.Session):
    """Takes the first piece of a stream that has no end."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if not urlsplit(str(request.url)).path.endswith("/events"):
            return super().send(request, **options)
        answer = super().send(request, **{**options, "stream": True})
        answer._content = next(answer.iter_content(None), b"")
        answer.close()
        return answer


@pytest.fixture(autouse=True)
def no_log() -> None:
    telemetry.configure(form="text", level="critical")


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Served]:
    """A service with one finished episode."""
    with served(project_of(tmp_path)) as at:
        with requests.get(f"{at.address}/api/v1/events", stream=True, timeout=30) as events:
            assert requests.post(f"{at.address}/api/v1/topics", json=LOG, timeout=30).status_code == 201
            lines = events.iter_lines()
            while next(lines) != b"event: done":
                pass
        yield at


def varies(operation: Any) -> bool:
    """Whether there is more than one request of it."""
    return any((operation.path_parameters, operation.query, operation.headers, operation.body))


def cases_of(operation: Any) -> st.SearchStrategy[Any]:
    """Requests such as the description allows, and such as it forbids; of things that there are, and of others."""
    asked = [operation.as_strategy(generation_mode=GenerationMode.POSITIVE)]
    if varies(operation):
        asked.append(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    names = {one.name for one in operation.path_parameters}
    if names:
        known = {name: "audio.mp3" if name == "name" and "episode" in names else KNOWN.get(name, "0") for name in names}
        asked += [operation.as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters=known)] * 2
    return st.one_of(asked)


def test_whatever_is_sent_the_api_answers_as_it_says(at: Served, tell: Tell) -> None:
    schema = schemathesis.openapi.from_dict(at.service.api.openapi())
    found: list[Any] = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    operations = sorted(found, key=lambda operation: operation.method == "delete")
    each = -(-EXAMPLES // sum(map(varies, operations)))
    bounds = settings(max_examples=each, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    asked: Counter[str] = Counter()
    with Session() as session:

        def ask(case: Any) -> None:
            asked[case.operation.label] += 1
            case.call_and_validate(base_url=at.address, session=session, checks=CHECKS, timeout=30)

        for operation in operations:
            seed(SEED)(bounds(given(case=cases_of(operation))(ask)))()
        assert session.get(f"{at.address}/health", timeout=30).ok
    assert asked.keys() == {operation.label for operation in operations}
    assert asked.total() >= EXAMPLES
    tell(examples=asked.total(), operations=len(operations), seed=SEED)
