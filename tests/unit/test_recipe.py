"""A key is the same for equal inputs and differs for anything that changes the bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.build.recipe import Canonical, Rule, canonical, key_of

RULE = Rule("speech", version=1, resource="speech")
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"rate": 1}, {"rate": 1.0}),
        ({"words": ["a", "b"]}, {"words": ("a", "b")}),
        ({"deep": {"x": [1.0, {"z": 0}]}}, {"deep": {"x": (1, {"z": 0.0})}}),
    ],
)
def test_equal_values_give_one_key(one: dict[str, Canonical], other: dict[str, Canonical]) -> None:
    assert key_of(RULE, one) == key_of(RULE, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": "1"}),
        ({"a": True}, {"a": 1}),
        ({"a": None}, {}),
        ({"a": ["bc"]}, {"a": ["b", "c"]}),
        ({"a": 0.1}, {"a": 0.2}),
        ({"a": "é"}, {"a": "e\u0301"}),
    ],
)
def test_different_values_give_different_keys(one: dict[str, Canonical], other: dict[str, Canonical]) -> None:
    assert key_of(RULE, one) != key_of(RULE, other)


def test_a_rules_name_and_version_are_inputs_and_its_resource_is_not() -> None:
    keys = {
        key_of(rule, {})
        for rule in (RULE, Rule("speech", 2, "speech"), Rule("mix", 1, "speech"), Rule("speech", 1, "gpu"))
    }
    assert len(keys) == 3


@given(plain)
def test_the_canonical_form_of_plain_data_is_json_that_reads_back_equal(value: Canonical) -> None:
    assert json.loads(canonical(value).decode("utf-8", "surrogatepass")) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"x": float("-inf")}])
def test_what_is_not_a_number_never_enters_a_key(value: Canonical) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical(value)


@pytest.mark.parametrize("value", [b"bytes", {1: "number as name"}, object(), {"a", "b"}])
def test_what_is_not_plain_data_never_enters_a_key(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)  # type: ignore[arg-type]  # that is the point
