"""The mistakes that are made in a module, and the table of which tests must notice them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.__main__ import sampled
from tests.mutants.mutations import mutants_of
from tests.mutants.running import ROOT
from tests.mutants.table import EQUIVALENT, MODULES, Equivalent, Guarded

PACKAGE = ROOT / "src" / "pipeline"

SAMPLE = '''
"""A module."""

LIMIT = 3


class Gate:
    """Words."""

    def admit(self, count: int, name: str = "é") -> bool:
        """More words, 1 < 2."""
        if count < LIMIT and name:
            raise ValueError(f"{count + 1} of 3")
        self.count = count + 1
        return not name
'''


def test_each_mistake_changes_one_thing_and_leaves_a_module_that_can_be_loaded() -> None:
    found = [(one.function, one.kind, one.after) for one in mutants_of(SAMPLE)]
    assert sorted(found) == sorted(
        [
            ("", "constant", "LIMIT = (4)"),
            ("Gate.admit", "condition", "if not (count < LIMIT and name):"),
            ("Gate.admit", "boolean", "if (count < LIMIT or name):"),
            ("Gate.admit", "comparison", "if (count <= LIMIT) and name:"),
            ("Gate.admit", "comparison", "if (count >= LIMIT) and name:"),
            ("Gate.admit", "removed", "pass"),
            ("Gate.admit", "removed", "pass"),
            ("Gate.admit", "arithmetic", "self.count = (count - 1)"),
            ("Gate.admit", "constant", "self.count = count + (2)"),
            ("Gate.admit", "return", "return None"),
            ("Gate.admit", "sign", "return (name)"),
        ]
    )
    for one in mutants_of(SAMPLE):
        assert one.text != SAMPLE
        ast.parse(one.text)


def test_only_the_functions_that_are_asked_for_are_changed() -> None:
    assert {one.function for one in mutants_of(SAMPLE, within=frozenset({"Gate"}))} == {"Gate.admit"}
    assert mutants_of(SAMPLE, within=frozenset({"Gat"})) == []


def test_a_sample_is_the_same_for_the_same_seed_and_in_order() -> None:
    found = mutants_of(SAMPLE)
    assert sampled(found, 0, 1, "a") == found
    assert sampled(found, 5, 1, "a") == sampled(found, 5, 1, "a")
    assert len(sampled(found, 5, 1, "a")) == 5
    lines = [one.line for one in sampled(found, 5, 1, "a")]
    assert lines == sorted(lines)


@pytest.mark.parametrize("guarded", MODULES, ids=lambda guarded: guarded.module)
def test_what_the_table_names_is_there(guarded: Guarded) -> None:
    text = (PACKAGE / guarded.module).read_text("utf-8")
    assert all(Path(ROOT / file).is_file() for file in guarded.tests)
    assert mutants_of(text, within=frozenset(guarded.within))
    names = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert set(guarded.within) <= names


@pytest.mark.parametrize("equivalent", EQUIVALENT, ids=lambda one: f"{one.module} {one.after}")
def test_no_excuse_outlives_its_mutant(equivalent: Equivalent) -> None:
    (guarded,) = [one for one in MODULES if one.module == equivalent.module]
    found = mutants_of((PACKAGE / equivalent.module).read_text("utf-8"), within=frozenset(guarded.within))
    assert (equivalent.function, equivalent.before, equivalent.after) in {
        (one.function, one.before, one.after) for one in found
    }
    assert len(equivalent.why) > 20
