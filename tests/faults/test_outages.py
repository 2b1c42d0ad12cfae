"""A service goes away and comes back: the run waits, calls seldom, and goes on by itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pipeline.net.breaker import Back, Outage
from pipeline.stages.publish import verify
from tests.fakes.callers import Callers, Service
from tests.fakes.shared_time import SharedTime
from tests.faults import away
from tests.faults.conftest import Tell
from tests.faults.extent import SEED, some

MOST_CALLS = 30
"""In ten minutes."""
SERVICES = ("writer", "voice", "illustrator")
GRACE_SECONDS = 5.0


@pytest.mark.parametrize("silent", [0.0, 5.0], ids=["refuses", "says nothing"])
@pytest.mark.parametrize("away_from", [0.0, 20.0], ids=["from the start", "in the middle"])
@pytest.mark.parametrize("threads", [1, 4, 64])
def test_in_ten_minutes_a_service_that_is_down_is_called_thirty_times_at_most(
    tell: Tell, threads: int, away_from: float, silent: float
) -> None:
    service = Service(SharedTime(), away_from, away_from + 600.0, takes_seconds=2.0, silent_seconds=silent)
    callers = Callers(service)
    callers.run(tasks=12 * threads, threads=threads)

    tell(most_calls=service.called_while_away)
    assert callers.ended == ["answer"] * 12 * threads
    assert service.called_while_away <= MOST_CALLS
    assert sum(isinstance(change, Outage) and change.is_new for change in callers.told) == 1
    assert sum(isinstance(change, Back) for change in callers.told) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_an_outage_of_ten_minutes_costs_a_whole_run_few_calls(tmp_path: Path, tell: Tell, service: str) -> None:
    comings = away.Comings(away.Time(), away_from_call=4, away_seconds=600.0)
    ended = away.run(tmp_path, service, comings)

    tell(most_calls=comings.called_in_vain)
    assert set(ended.errors.values()) == {None}
    assert 0 < comings.called_in_vain <= MOST_CALLS


@pytest.mark.parametrize("seed", some(range(20), 3))
def test_a_run_whose_service_goes_and_comes_back_ends_well_by_itself(tmp_path: Path, tell: Tell, seed: int) -> None:
    """90 seconds to 25 minutes; soon after the service is back it is used, and every topic becomes an episode."""
    draw = random.Random(f"{SEED}/{seed}")
    comings = away.Comings(
        away.Time(),
        away_from_call=draw.randrange(6),
        away_seconds=90.0 if seed == 0 else draw.uniform(1, 1500),
        status=draw.choice((0, 502, 503, 504)),
        takes_seconds=draw.uniform(0.1, 20),
    )
    ended = away.run(tmp_path, SERVICES[seed % len(SERVICES)], comings)

    assert comings.back_at is not None, "it never went away"
    assert comings.answered_at is not None, "nobody asked it again"
    late = comings.answered_at - comings.back_at > ended.last_rest_seconds + GRACE_SECONDS
    well = set(ended.errors.values()) == {None} and not late
    tell(seed=SEED, outages=1, recovered=int(well))
    assert ended.errors == dict.fromkeys(away.TOPICS)
    assert not late
    assert ended.still_down == ()
    assert [verify(tmp_path / "output" / name) for name in away.TOPICS] == [()] * len(away.TOPICS)
