"""The runner: everything made once, failures kept apart, stages overlapping, stopped cleanly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.build.plan import Trail
from pipeline.build.recipe import Flow, Parts, Rule, Step
from pipeline.build.runner import Event, Job, Kind, Outcome, Runner
from pipeline.build.store import Store
from pipeline.errors import EngineRefused, EngineUnavailable, Interrupted
from tests.unit.build_steps import RULE, Kitchen

Made = tuple[str, ...]


@contextmanager
def pools(**sizes: int) -> Iterator[dict[str, Executor]]:
    executors: dict[str, Executor] = {name: ThreadPoolExecutor(size) for name, size in ({"cpu": 2} | sizes).items()}
    try:
        yield executors
    finally:
        for executor in executors.values():
            executor.shutdown(wait=True)


def job(name: str, flow: Callable[[], Flow[Made]]) -> Job[Made, Made]:
    return Job(name, flow, finish=lambda keys, _: keys)


def run(
    store: Store,
    *jobs: Job[Made, Made],
    open_at_once: int = 4,
    notify: Callable[[Event], None] = lambda _: None,
    stop: threading.Event | None = None,
    **sizes: int,
) -> dict[str, Outcome[Made]]:
    with pools(**sizes) as executors:
        runner: Runner[Made, Made] = Runner(
            store, executors, open_at_once=open_at_once, notify=notify, stop=stop or threading.Event()
        )
        return {outcome.name: outcome for outcome in runner.run(jobs)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_each_flow_is_carried_to_its_end(store: Store) -> None:
    kitchen = Kitchen()
    outcomes = run(store, *(job(n, lambda n=n: kitchen.chain(f"{n}1", f"{n}2")) for n in "abc"))  # type: ignore[misc]
    assert {name: outcome.made for name, outcome in outcomes.items()} == {"a": 2, "b": 2, "c": 2}
    assert all(outcome.error is None and len(outcome.result or ()) == 2 for outcome in outcomes.values())


def test_a_second_run_makes_nothing(store: Store) -> None:
    kitchen = Kitchen()
    for _ in range(2):
        outcomes = run(store, job("a", lambda: kitchen.chain("x", "y")))
    assert outcomes["a"].made == 0
    assert kitchen.made == {"x": 1, "y": 1}


def test_what_two_flows_want_is_made_once_and_counted_once(store: Store) -> None:
    kitchen = Kitchen()
    both = threading.Barrier(2, timeout=30)

    def opening(step: str, own: str) -> Flow[Made]:
        yield [Step(RULE, own, {"own": own}, lambda: wait_for(both))]
        yield [kitchen.step(step)]
        return ()

    outcomes = run(store, job("a", lambda: opening("x", "1")), job("b", lambda: opening("x", "2")))
    assert kitchen.made["x"] == 1
    assert sum(outcome.made for outcome in outcomes.values()) == 3


def wait_for(barrier: threading.Barrier) -> Parts:
    barrier.wait()
    return {"bytes": b""}


def test_a_failure_is_its_own_flows(store: Store) -> None:
    kitchen = Kitchen()

    def refuse(name: str) -> None:
        if name == "bad":
            raise EngineRefused("no such voice", where="piper")

    kitchen.before = refuse
    outcomes = run(
        store,
        job("good", lambda: kitchen.chain("x", "y")),
        job("bad", lambda: kitchen.chain("w", "bad", "z")),
    )
    assert outcomes["good"].error is None
    assert isinstance(outcomes["bad"].error, EngineRefused)
    assert kitchen.made["z"] == 0


def test_what_was_finished_beside_a_failure_is_kept(store: Store) -> None:
    kitchen = Kitchen()

    def refuse(name: str) -> None:
        if name == "s3":
            raise EngineRefused("no", where="piper")

    kitchen.before = refuse

    def flow() -> Flow[Made]:
        yield [kitchen.step(f"s{number}") for number in range(6)]
        return ()

    assert run(store, job("a", flow))["a"].error is not None
    kitchen.before = lambda _: None
    assert run(store, job("a", flow))["a"].made == 1
    assert set(kitchen.made.values()) == {1}


def test_a_bug_in_a_flow_is_an_outcome_and_the_others_go_on(store: Store) -> None:
    kitchen = Kitchen()

    def broken() -> Flow[Made]:
        yield [kitchen.step("x")]
        raise ZeroDivisionError

    outcomes = run(store, job("broken", broken), job("good", lambda: kitchen.chain("y")))
    assert isinstance(outcomes["broken"].error, ZeroDivisionError)
    assert outcomes["good"].error is None


def test_a_flow_that_fails_before_its_first_step_is_an_outcome(store: Store) -> None:
    def refusing() -> Flow[Made]:
        raise EngineRefused("no voice", where="piper")
        yield []  # makes it a generator

    assert isinstance(run(store, job("a", refusing))["a"].error, EngineRefused)


def test_a_step_twice_in_one_batch_is_made_once_and_answered_twice(store: Store) -> None:
    kitchen = Kitchen()

    def flow() -> Flow[Made]:
        artifacts = yield [kitchen.step("x"), kitchen.step("y"), kitchen.step("x")]
        return tuple(artifact.key for artifact in artifacts)

    result = run(store, job("a", flow))["a"].result or ()
    assert kitchen.made == {"x": 1, "y": 1}
    assert result[0] == result[2] != result[1]


def test_stages_of_different_flows_overlap(store: Store) -> None:
    """The second flow is written while the first is spoken: each waits for the other, so neither could go alone."""
    meet = threading.Barrier(2, timeout=30)
    write, speak = Rule("write", 1, "llm"), Rule("speak", 1, "speech")

    def step(rule: Rule, name: str, meets: bool) -> Step:
        return Step(rule, name, {"name": name}, lambda: wait_for(meet) if meets else {"bytes": b""})

    def first() -> Flow[Made]:
        yield [step(write, "w1", meets=False)]
        yield [step(speak, "s1", meets=True)]
        return ()

    def second() -> Flow[Made]:
        yield [step(write, "w2", meets=True)]
        return ()

    outcomes = run(store, job("1", first), job("2", second), llm=1, speech=1)
    assert [outcome.error for outcome in outcomes.values()] == [None, None]


def test_no_more_flows_are_open_than_there_is_room_for(store: Store) -> None:
    kitchen = Kitchen()
    events: list[Event] = []
    run(store, *(job(n, lambda n=n: kitchen.chain(n)) for n in "abcdef"), open_at_once=2, notify=events.append)  # type: ignore[misc]
    open_now = most = 0
    for event in events:
        open_now += {Kind.OPENED: 1, Kind.CLOSED: -1}.get(event.kind, 0)
        most = max(most, open_now)
    assert most == 2


def test_a_damaged_artifact_is_made_again_in_the_same_run(store: Store) -> None:
    kitchen = Kitchen()

    def flow() -> Flow[Made]:
        (first,) = yield [kitchen.step("first")]
        (second,) = yield [
            Step(RULE, "second", {"from": first.digest}, lambda: {"bytes": first.read("bytes") + b"!"}),
        ]
        return (second.read("bytes").decode(),)

    assert run(store, job("a", flow))["a"].result == ("first made!",)
    first_file = store.folder / (key := kitchen.step("first").key)[:2] / key
    first_file.write_bytes(first_file.read_bytes()[:-1] + b"X")
    for key in list(store.every_key()):
        if key != kitchen.step("first").key:
            (store.folder / key[:2] / key).unlink()

    outcome = run(store, job("a", flow))["a"]
    assert outcome.result == ("first made!",)
    assert kitchen.made["first"] == 2


def test_stopping_finishes_what_runs_and_begins_nothing_more(store: Store) -> None:
    kitchen = Kitchen()
    stop = threading.Event()

    def stop_in_the_middle(name: str) -> None:
        if name == "a2":
            stop.set()

    kitchen.before = stop_in_the_middle
    outcomes = run(
        store,
        job("a", lambda: kitchen.chain("a1", "a2", "a3")),
        job("b", lambda: kitchen.chain("b1")),
        open_at_once=1,
        stop=stop,
    )
    assert kitchen.made == {"a1": 1, "a2": 1}
    assert all(isinstance(outcome.error, Interrupted) for outcome in outcomes.values())
    assert outcomes.keys() == {"a", "b"}

    kitchen.before = lambda _: None
    run(store, job("a", lambda: kitchen.chain("a1", "a2", "a3")))
    assert kitchen.made == {"a1": 1, "a2": 1, "a3": 1}


def test_the_runner_says_why_it_makes_something(store: Store) -> None:
    kitchen = Kitchen()
    trails: list[Trail] = []

    def keep(keys: Made, trail: Trail) -> Made:
        trails.append(trail)
        return keys

    run(store, Job("a", lambda: kitchen.chain("x", ingredient="old"), finish=keep))
    events: list[Event] = []
    run(
        store,
        Job("a", lambda: kitchen.chain("x", ingredient="new"), finish=keep, earlier=trails[0]),
        notify=events.append,
    )
    assert [event.why for event in events if event.kind is Kind.STARTED] == ["from changed"]


def test_a_failing_finish_fails_the_flow(store: Store) -> None:
    def finish(keys: Made, trail: Trail) -> Made:
        raise EngineRefused("cannot publish")

    outcomes = run(store, Job("a", lambda: Kitchen().chain("x"), finish=finish))
    assert isinstance(outcomes["a"].error, EngineRefused)


def test_flows_that_wait_for_a_service_that_is_down_do_not_keep_others_from_their_work(store: Store) -> None:
    """One may be open at a time; it waits for the speaker, who is away until the others have been made."""
    kitchen, back = Kitchen(), threading.Event()
    away = Rule("away", version=1, resource="speech")

    def speak() -> Parts:
        assert back.wait(10)
        return {"bytes": b"spoken"}

    def waits() -> Flow[Made]:
        (artifact,) = yield [Step(away, "speech", {}, speak, label="speech")]
        return (artifact.key,)

    left = {"b", "c"}

    def tell(event: Event) -> None:
        if event.kind is Kind.CLOSED:
            left.discard(event.flow)
            if not left:
                back.set()

    jobs = [job("a", waits), *(job(n, lambda n=n: kitchen.chain(f"{n}1", f"{n}2")) for n in "bc")]  # type: ignore[misc]
    with pools(speech=1) as executors:
        runner: Runner[Made, Made] = Runner(
            store,
            executors,
            open_at_once=1,
            notify=tell,
            stop=threading.Event(),
            stalled=lambda: () if back.is_set() else ("speech",),
        )
        outcomes = list(runner.run(jobs))
    assert [outcome.error for outcome in outcomes] == [None] * 3
    assert outcomes[-1].name == "a"


def test_a_flow_that_cannot_even_begin_waits_and_begins_afresh(store: Store) -> None:
    kitchen, known = Kitchen(), threading.Event()

    def flow() -> Flow[Made]:
        if not known.is_set():
            raise EngineUnavailable("nobody answers")
        return (yield from kitchen.chain("x"))

    def wait_for(error: BaseException) -> tuple[str, Callable[[], object]] | None:
        return ("cpu", known.set) if isinstance(error, EngineUnavailable) else None

    outcomes = run(store, Job("a", flow, finish=lambda keys, _: keys, wait_for=wait_for))
    assert outcomes["a"].error is None
    assert kitchen.made == {"x": 1}


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        pytest.param(lambda: None, "nobody answers", id="it is not there after all, again and again"),
        pytest.param(lambda: _give_up_waiting(), "patience is over", id="it stays away"),
    ],
)
def test_waiting_before_the_beginning_ends(store: Store, wait: Callable[[], object], expected: str) -> None:
    def flow() -> Flow[Made]:
        raise EngineUnavailable("nobody answers")
        yield []

    outcomes = run(store, Job("a", flow, finish=lambda keys, _: keys, wait_for=lambda _: ("cpu", wait)))
    assert expected in str(outcomes["a"].error)


def _give_up_waiting() -> None:
    raise EngineUnavailable("patience is over")
