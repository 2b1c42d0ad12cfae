"""Steps and flows to build with: they count what is made, and need no media."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from pipeline.build.recipe import Artifact, Canonical, Flow, Parts, Rule, Step

RULE = Rule("test", version=1, resource="cpu")


class Kitchen:
    """Makes steps that count how often each was carried out."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.before: Callable[[str], None] = lambda _: None
        """Called with the step's name before each making; may raise."""

    def step(self, name: str, inputs: Mapping[str, Canonical] | None = None, *, place: str = "") -> Step:
        def make() -> Parts:
            self.before(name)
            self.made[name] += 1
            return {"bytes": f"{name} made".encode()}

        return Step(RULE, place or name, {"name": name, **(inputs or {})}, make, label=name)

    def chain(self, *names: str, ingredient: Canonical = "") -> Flow[tuple[str, ...]]:
        """Each step is made from the one before it; the last one's parts are what the flow returns."""
        digest: Canonical = ingredient
        artifacts: list[Artifact] = []
        for name in names:
            (artifact,) = yield [self.step(name, {"from": digest})]
            digest = artifact.digest
            artifacts.append(artifact)
        return tuple(artifact.key for artifact in artifacts)
