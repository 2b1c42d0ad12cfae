"""A plan says what would be made and why, and makes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.build.plan import look_through
from pipeline.build.recipe import Canonical, Flow
from pipeline.build.store import Store
from tests.unit.build_steps import Kitchen


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def make_all(flow: Flow[object], store: Store) -> None:
    """Carry a flow out, step by step."""
    answer = None
    while True:
        try:
            steps = next(flow) if answer is None else flow.send(answer)
        except StopIteration:
            return
        answer = [store.make(step) for step in steps]


def reasons(flow: Flow[object], store: Store, earlier: Flow[object] | None = None) -> dict[str, str]:
    trail = look_through(earlier, store.find).trail if earlier is not None else None
    return {verdict.step.place: verdict.why for verdict in look_through(flow, store.find, trail).to_make}


def test_what_was_never_made_is_to_be_made_and_what_depends_on_it_follows(store: Store) -> None:
    assert reasons(Kitchen().chain("script", "mix", "captions"), store) == {
        "script": "never made",
        "mix": "follows from script",
        "captions": "follows from mix",
    }


def test_what_is_there_is_up_to_date(store: Store) -> None:
    make_all(Kitchen().chain("script", "mix"), store)
    outlook = look_through(Kitchen().chain("script", "mix"), store.find)
    assert outlook.to_make == ()
    assert [verdict.why for verdict in outlook.verdicts] == ["up to date", "up to date"]
    assert outlook.whole


def test_a_plan_makes_nothing(store: Store) -> None:
    kitchen = Kitchen()
    look_through(kitchen.chain("script", "mix"), store.find)
    assert not kitchen.made
    assert list(store.every_key()) == []


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        ({"text": "a", "voice": "x"}, {"text": "b", "voice": "x"}, "text changed"),
        ({"text": "a", "voice": "x"}, {"text": "b", "voice": "y"}, "text and voice changed"),
        ({"text": "a"}, {"text": "a", "rate": 2}, "rate changed"),
        ({"text": "a"}, {"text": "a"}, "its artifact is gone"),
    ],
)
def test_the_reason_names_the_inputs_that_changed(
    store: Store, before: dict[str, Canonical], now: dict[str, Canonical], why: str
) -> None:
    def flow(inputs: dict[str, Canonical]) -> Flow[None]:
        yield [Kitchen().step("sentence", inputs)]

    assert reasons(flow(now), store, earlier=flow(before)) == {"sentence": why}


def test_among_many_the_nearest_earlier_one_gives_the_reason(store: Store) -> None:
    def flow(voice: str) -> Flow[None]:
        yield [Kitchen().step("s", {"text": text, "voice": voice}, place="speech") for text in ("one", "two")]

    assert reasons(flow("new"), store, earlier=flow("old")) == {"speech": "voice changed"}


def test_an_equal_result_stops_what_follows(store: Store) -> None:
    """A step whose inputs changed but whose bytes did not leaves everything after it up to date."""
    kitchen = Kitchen()
    make_all(kitchen.chain("script", "mix", ingredient="first"), store)
    make_all(kitchen.chain("script", "mix", ingredient="second"), store)
    assert kitchen.made == {"script": 2, "mix": 1}


def test_the_outlook_ends_where_the_content_decides_and_says_so(store: Store) -> None:
    kitchen = Kitchen()

    def flow() -> Flow[str]:
        (script,) = yield [kitchen.step("script")]
        for word in script.read("bytes").decode().split():
            yield [kitchen.step(word)]
        return "end"

    outlook = look_through(flow(), store.find)
    assert [verdict.step.place for verdict in outlook.to_make] == ["script"]
    assert not outlook.whole
    assert outlook.result is None

    make_all(flow(), store)
    whole = look_through(flow(), store.find)
    assert whole.whole
    assert whole.result == "end"
    assert len(whole.verdicts) == 3


def served(kitchen: Kitchen, salt: str, *dishes: str) -> Flow[object]:
    """Dishes seasoned alike by what was measured on something that changes."""
    (measured,) = yield [kitchen.step("measured", {"of": salt})]
    return (
        yield [
            replace(
                kitchen.step(dish, {"seasoning": measured.part_digest("bytes")}, place="dish"),
                steady=frozenset({"seasoning"}),
            )
            for dish in dishes
        ]
    )


def test_what_hinges_on_a_steady_measurement_alone_is_taken_to_stay(store: Store) -> None:
    """The measurement is promised: the soup is as it was but for that, the pie is new."""
    kitchen = Kitchen()
    make_all(served(kitchen, "a pinch", "soup"), store)
    earlier = look_through(served(kitchen, "a pinch", "soup"), store.find).trail
    outlook = look_through(served(kitchen, "two pinches", "soup", "pie"), store.find, earlier)

    assert [(verdict.step.label, verdict.make, verdict.why) for verdict in outlook.verdicts] == [
        ("measured", True, "of changed"),
        ("soup", False, "kept, unless seasoning changes"),
        ("pie", True, "follows from measured"),
    ]


def test_a_steady_measurement_that_stays_has_nothing_made_again(store: Store) -> None:
    kitchen = Kitchen()
    make_all(served(kitchen, "a pinch", "soup"), store)
    make_all(served(kitchen, "two pinches", "soup", "pie"), store)

    assert kitchen.made == {"measured": 2, "soup": 1, "pie": 1}
