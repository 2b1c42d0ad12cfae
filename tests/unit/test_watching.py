"""A watched project is made when something in it is new and lies still."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from pipeline.errors import EngineUnavailable, PipelineError, SettingsError
from pipeline.watching import (
    ALIVE_SECONDS,
    Made,
    Rounds,
    Watch,
    alone,
    due,
    giving_notice,
    health,
    last_beat,
    retry_after,
    state_of,
)

STILL = Rounds(seen="a", made="a", made_at=0.0)


@pytest.mark.parametrize(
    ("rounds", "seen", "now", "expected"),
    [
        pytest.param(Rounds(), "a", 0.0, "", id="the first look: nobody knows whether it lies still"),
        pytest.param(Rounds(seen="a"), "a", 5.0, "changed", id="never made"),
        pytest.param(Rounds(seen="a"), "b", 5.0, "", id="still being written to"),
        pytest.param(STILL, "a", 10.0, "", id="nothing new"),
        pytest.param(replace(STILL, seen="b"), "b", 10.0, "changed", id="new, and lies still"),
        pytest.param(STILL, "a", 299.0, "", id="not yet time to look anyway"),
        pytest.param(STILL, "a", 300.0, "rescan", id="time to look anyway"),
        pytest.param(replace(STILL, failed_at=100.0, failures_in_a_row=1), "a", 159.0, "", id="too soon to try again"),
        pytest.param(replace(STILL, failed_at=100.0, failures_in_a_row=1), "a", 160.0, "retry", id="tried again"),
        pytest.param(replace(STILL, failed_at=100.0, failures_in_a_row=2), "a", 219.0, "", id="later the next time"),
    ],
)
def test_when_it_is_due(rounds: Rounds, seen: str, now: float, expected: str) -> None:
    assert due(rounds, seen, now) == expected


def test_tries_come_ever_more_rarely_up_to_an_hour() -> None:
    waits = [retry_after(count) for count in range(1, 12)]
    assert waits[:4] == [60.0, 120.0, 240.0, 480.0]
    assert waits == sorted(waits)
    assert waits[-1] == 3600.0


class Scene:
    """A project folder and a watch over it, turned by hand."""

    def __init__(self, folder: Path, results: list[Made | PipelineError] | None = None) -> None:
        self.input = folder / "input"
        self.input.mkdir()
        self.data = folder / "data"
        self.results = results or []
        self.makings = 0
        self.proofs: list[PipelineError] = []
        self.logged: list[str] = []
        self.now = 1000.0
        self.stop = Event()
        self.watch = Watch(
            [self.input],
            self.data,
            prove=self._prove,
            make=self._make,
            log=lambda event, _: self.logged.append(event),
            stop=self.stop,
            seconds=0.0,
            clock=lambda: self.now,
        )

    def _prove(self) -> None:
        if self.proofs:
            raise self.proofs.pop(0)

    def _make(self) -> Made:
        self.makings += 1
        result = self.results.pop(0) if self.results else Made(1, 0, may_pass=False)
        if isinstance(result, PipelineError):
            raise result
        return result

    def turn(self, times: int = 1) -> int:
        """Turn rounds; returns the makings so far."""
        for _ in range(times):
            self.watch.turn()
        return self.makings


def test_what_lies_there_is_made_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    (scene.input / "a.md").write_text("# A")
    assert scene.turn() == 0
    assert scene.turn() == 1
    assert scene.turn(5) == 1


def test_a_file_that_grows_is_left_until_it_lies_still(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.turn(2)
    begun = scene.makings
    for size in range(1, 6):
        (scene.input / "slow.md").write_text("x" * size)
        assert scene.turn() == begun
    assert scene.turn() == begun + 1


def test_every_kind_of_change_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "input"
    (folder / "deep").mkdir(parents=True)
    file = folder / "deep" / "a.md"
    states = {state_of([folder])}
    file.write_text("a")
    states.add(state_of([folder]))
    file.write_text("ab")
    states.add(state_of([folder]))
    file.rename(folder / "b.md")
    states.add(state_of([folder]))
    (folder / "b.md").chmod(0)
    states.add(state_of([folder]))
    (folder / "b.md").unlink()
    assert state_of([folder]) in states
    assert len(states) == 5


def test_a_failure_that_may_pass_is_tried_again_later_and_another_is_not(tmp_path: Path) -> None:
    scene = Scene(tmp_path, [Made(0, 1, may_pass=True), Made(0, 1, may_pass=True), Made(0, 1, may_pass=False)])
    assert scene.turn(3) == 1
    scene.now += 60
    assert scene.turn(2) == 2
    scene.now += 60
    assert scene.turn(2) == 2
    scene.now += 60
    assert scene.turn(2) == 3
    scene.now += 200
    assert scene.turn(2) == 3


def test_refused_settings_wait_for_a_change(tmp_path: Path) -> None:
    scene = Scene(tmp_path, [SettingsError(["voice: no such voice"])])
    assert scene.turn(4) == 1
    assert scene.logged == ["settings_refused"]
    scene.now += 200
    (scene.input / "mended.md").write_text("x")
    assert scene.turn(2) == 2


def test_a_watch_begins_nothing_while_a_command_makes_episodes(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.turn()
    with giving_notice(scene.data), giving_notice(scene.data) as second:
        assert second
        assert scene.turn() == 0
        beat = last_beat(scene.data)
        assert beat is not None
        assert beat.state == "paused"
    assert scene.turn() == 1


def test_a_command_does_not_wait_for_a_watch_at_work(tmp_path: Path) -> None:
    with alone(tmp_path) as free, giving_notice(tmp_path) as noticed:
        assert free
        assert not noticed


def test_it_is_ready_only_when_every_engine_has_produced(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    seen: list[bool] = []

    def make() -> Made:
        beat = last_beat(scene.data)
        assert beat is not None
        seen.append(beat.ready)
        scene.stop.set()
        return Made(0, 0, may_pass=False)

    watch = Watch(
        [scene.input], scene.data, prove=scene._prove, make=make,
        log=lambda event, _: scene.logged.append(event), stop=scene.stop, seconds=0.0, clock=lambda: scene.now,
    )  # fmt: skip
    watch.keep_at_it()
    assert seen == [True]
    assert scene.logged == ["ready"]
    beat = last_beat(scene.data)
    assert beat is not None
    assert beat.state == "stopped"


def test_an_engine_that_is_away_is_waited_for_and_named(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    told: list[dict[str, object]] = []

    def prove() -> None:
        scene.stop.set()  # so that its waiting ends at once
        raise EngineUnavailable("nobody answers", where="http://piper:5000", hint="Start it.")

    Watch(
        [scene.input], scene.data, prove=prove, make=scene._make,
        log=lambda event, facts: told.append({"event": event, **facts}), stop=scene.stop, seconds=0.0,
        clock=lambda: scene.now,
    ).keep_at_it()  # fmt: skip
    assert told == [
        {"event": "waiting", "what": "nobody answers", "where": "http://piper:5000", "hint": "Start it.", "tries": 1}
    ]
    assert scene.makings == 0


def test_health_tells_a_watch_at_work_from_one_that_hangs_or_has_gone(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert health(tmp_path, now) == (False, "no watch has been here")

    def beat(state: str, *, ready: bool, age: float) -> tuple[bool, str]:
        at = (now - timedelta(seconds=age)).isoformat()
        text = f'{{"at": "{at}", "state": "{state}", "ready": {str(ready).lower()}, "about": ""}}'
        (tmp_path / "watch.json").write_text(text)
        return health(tmp_path, now)

    assert beat("idle", ready=True, age=5) == (True, "idle")
    assert beat("waiting", ready=False, age=5) == (False, "waiting")
    assert beat("making", ready=True, age=ALIVE_SECONDS + 1)[0] is False
    assert beat("stopped", ready=True, age=1) == (False, "the watch was stopped 1 s ago")
    (tmp_path / "watch.json").write_text("{")
    assert health(tmp_path, now)[0] is False
