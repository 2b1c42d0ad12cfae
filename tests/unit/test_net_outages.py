"""Which services are down at this moment, and who is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipeline.errors import EngineUnavailable
from pipeline.net.breaker import Back, Outage
from pipeline.net.outages import Down, News, Outages, Up

DOWN = EngineUnavailable("nobody answers", where="Piper at http://piper:5000", hint="Start it.")
BUSY = EngineUnavailable("it is busy", where="Piper at http://piper:5001", hint="Wait.")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def test_a_service_is_down_from_its_first_failure_until_it_is_back() -> None:
    outages = Outages(clock=lambda: NOW)
    assert outages.down == {}
    outages.take(Outage("voice", DOWN, for_seconds=5.0, next_try_seconds=2.0, is_new=True))
    first = Down("voice", DOWN.where, DOWN.what, DOWN.hint, NOW - seconds(5), NOW + seconds(2))
    assert outages.down == {"voice": first}

    outages.take(Outage("voice", BUSY, for_seconds=60.0, next_try_seconds=4.0, is_new=False))
    again = Down("voice", BUSY.where, BUSY.what, BUSY.hint, first.since, NOW + seconds(4))
    assert outages.down == {"voice": again}

    outages.take(Outage("writer", DOWN, 0.0, 2.0, is_new=True))
    outages.take(Back("voice", 64.0))
    assert set(outages.down) == {"writer"}


def test_what_is_told_to_one_may_be_changed_by_nobody_else() -> None:
    outages = Outages(clock=lambda: NOW)
    before = outages.down
    outages.take(Outage("voice", DOWN, 0.0, 2.0, is_new=True))
    assert before == {}


def test_who_listens_hears_what_is_down_and_then_all_the_news_until_they_go() -> None:
    outages = Outages(clock=lambda: NOW)
    heard: list[News] = []
    also: list[News] = []
    outages.take(Outage("voice", DOWN, 0.0, 2.0, is_new=True))
    with outages.told_to(heard.append), outages.told_to(also.append):
        outages.take(Outage("voice", BUSY, 2.0, 4.0, is_new=False))
        outages.take(Back("voice", 6.0))
    outages.take(Outage("voice", DOWN, 0.0, 2.0, is_new=True))
    assert [(type(news), news.where) for news in heard] == [
        (Down, DOWN.where),
        (Down, BUSY.where),
        (Up, BUSY.where),
    ]
    assert heard[-1] == Up("voice", BUSY.where, 6.0)
    assert also == heard


def test_who_is_back_and_was_never_known_to_be_away_is_told_all_the_same() -> None:
    outages, heard = Outages(), list[News]()
    with outages.told_to(heard.append):
        outages.take(Back("voice", 1.0))
    assert heard == [Up("voice", "", 1.0)]


def test_a_listener_may_ask_what_is_down() -> None:
    outages = Outages()
    known: list[set[str]] = []
    with outages.told_to(lambda _: known.append(set(outages.down))):
        outages.take(Outage("voice", DOWN, 0.0, 2.0, is_new=True))
        outages.take(Back("voice", 1.0))
    assert known == [{"voice"}, set()]


def test_times_are_told_in_utc() -> None:
    outages = Outages()
    outages.take(Outage("voice", DOWN, 0.0, 2.0, is_new=True))
    assert outages.down["voice"].since.tzinfo is UTC
