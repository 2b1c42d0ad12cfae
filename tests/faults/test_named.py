"""Every failure has a code of its own, a sentence and a cure: read off the source, for those that no test comes to."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline
from pipeline import errors
from pipeline.errors import PipelineError

SOURCE = Path(pipeline.__file__).parent
NAMED = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, PipelineError)}
SAYS_ITSELF = {"Interrupted", "SettingsError"}
"""The first knows its cure; the other's problems hold one each, in their sentences."""


def without_cure(source: str) -> Iterator[str]:
    """Each place that raises a failure and leaves its hint out."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name(name) | ast.Attribute(attr=name), keywords=given)):
                if name in NAMED.keys() - SAYS_ITSELF and not {None, "hint"} & {one.arg for one in given}:
                    yield ast.unparse(node)


def test_every_error_has_a_code_of_its_own_and_says_whom_it_is_for() -> None:
    for kind in NAMED.values():
        assert kind.__doc__
    codes = Counter(kind.code for kind in NAMED.values())
    assert [code for code, count in codes.items() if count > 1 or not code] == []


def test_whoever_raises_says_what_to_do() -> None:
    found = [f"{path.relative_to(SOURCE)}: {place}" for path in sorted(SOURCE.rglob("*.py"))
             for place in without_cure(path.read_text("utf-8"))]  # fmt: skip
    assert found == []


@pytest.mark.parametrize("source", ["raise InputError('x')", "raise errors.StoreError('x', where=y) from error"])
def test_a_failure_without_a_cure_is_found(source: str) -> None:
    assert list(without_cure(source))


def test_every_failure_of_any_part_has_a_code() -> None:
    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    kinds = list(PipelineError.__subclasses__())
    for kind in kinds:
        kinds += kind.__subclasses__()
        assert kind.code
        assert kind.code != PipelineError.code, f"{kind.__name__} has no code of its own"
