"""Why something is to be made, in a person's words: what they changed, not which input of which step differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.build.plan import Trail, Verdict, note
from pipeline.progress import STAGES
from pipeline.stages.publish import MANIFEST
from pipeline.studio import EpisodePlan

# Inputs of the mix, as a person knows them. What follows from another change of theirs is left out.
_MIX = {
    "words shown": "wording",
    "layout": "paragraphs",
    "chapters": "headings",
    "sound": "sound settings",
    "tags": "title, date or notice",
    "speech": "speech",
    "sounds": "level",
    "the rule": "way of mixing",
}
_FOLLOWS = "follows from "
_WORDING = frozenset({"words shown", "layout", "chapters"})


def reasons(episode: EpisodePlan) -> Iterator[str]:
    """A line for each reason, with how many steps it is the reason for. Of what lies within a stage, only what has a
    reason of its own is told: the stage says that it follows.
    """
    told = ((verdict.step.place, reason(verdict, episode)) for verdict in episode.to_make)
    grouped = Counter((place, why) for place, why in told if place in STAGES or not why.startswith(_FOLLOWS))
    for (place, why), count in grouped.items():
        yield f"{place}: {why}" if count == 1 else f"{place}: {count} × {why}"


def reason(verdict: Verdict, episode: EpisodePlan) -> str:
    """Why one step is to be made."""
    place = verdict.step.place
    changed = _changed(place, verdict, episode)
    if place == "speech" and changed == {"text"} and _same_words(episode):
        return "pronunciation changed"
    if place == "mix" and changed and not verdict.why.startswith(_FOLLOWS):
        # A sentence of other words has another sound, and an edit another notice: that is not what was changed.
        told = changed - {"speech", "sounds", "tags"} if changed & _WORDING else changed
        by_hand = episode.edited and told <= _WORDING
        return (
            f"{_and([name for key, name in _MIX.items() if key in told])} {'edited by hand' if by_hand else 'changed'}"
        )
    return verdict.why


def _changed(place: str, verdict: Verdict, episode: EpisodePlan) -> set[str]:
    """The inputs that differ from the nearest of the last time; empty where nothing of it is known."""
    now = _inputs(verdict)
    before = episode.earlier.get(place)
    if not before:
        return set()
    nearest = max(before, key=lambda then: sum(then.get(name) == digest for name, digest in now.items()))
    return {name for name in now.keys() | nearest.keys() if now.get(name) != nearest.get(name)}


def _inputs(verdict: Verdict) -> dict[str, str]:
    trail: Trail = {}
    note(trail, verdict.step)
    return trail[verdict.step.place][0]


def _same_words(episode: EpisodePlan) -> bool:
    """Whether what is shown on screen is what it was the last time."""
    before, now = (
        [step.get("words shown") for step in trail.get("mix", ())] for trail in (episode.earlier, episode.trail)
    )
    return bool(now) and before == now


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def publishing(names: Sequence[str]) -> str:
    """Why files are put in place again: names are those that are not as they should be; nothing for none."""
    if tuple(names) == (MANIFEST,):
        return f"{MANIFEST} is missing, or says what no longer holds"
    return f"{', '.join(names)} missing or changed in output/" if names else ""
