"""What a run has done so far, episode by episode, from the runner's events. A pure account: no screen, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.build.runner import Event, Kind

STAGES = ("script", "speech", "mix", "captions")

# Which column a step's place belongs to. A small model's script is made of several passages, a mix of its sentences.
_STAGE_OF = {
    "passage": "script",
    "script": "script",
    "speech": "speech",
    **dict.fromkeys(("level", "gain", "sound", "mix", "flac"), "mix"),
    "captions": "captions",
}


@dataclass(slots=True)
class Stage:
    wanted: int = 0
    done: int = 0
    running: set[str] = field(default_factory=set)
    """The labels of what is being made now."""
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        return self.wanted > 0 and self.done >= self.wanted and not self.running


@dataclass(slots=True)
class Line:
    """One episode's progress."""

    name: str
    stages: dict[str, Stage] = field(default_factory=lambda: {name: Stage() for name in STAGES})
    made: int = 0
    spoken: set[str] = field(default_factory=set)
    """Sentences that were spoken for it in this run, as "sentence 3 of 10". To reach a length, some are spoken at
    several paces, and a script has more of them the next time.
    """
    found: int = 0
    seconds: float = 0.0
    closed: bool = False
    error: BaseException | None = None

    @property
    def now(self) -> str:
        """What is being made at this moment, for people."""
        for stage in self.stages.values():
            if stage.running:
                return ", ".join(sorted(stage.running)[:2])
        return ""


@dataclass(slots=True)
class Board:
    """Every episode that the run has opened, in that order."""

    total: int
    lines: dict[str, Line] = field(default_factory=dict)

    def take(self, event: Event) -> list[str]:
        """Account for an event; returns the lines worth telling a person who sees no live table."""
        line = self.lines.setdefault(event.flow, Line(event.flow))
        stage = line.stages[stage_of(event.step.place)] if event.step is not None else None
        label = (event.step.label or event.step.place) if event.step is not None else ""
        match event.kind:
            case Kind.STARTED if stage is not None:
                stage.wanted += 1
                stage.running.add(label)
            case Kind.MADE if stage is not None:
                stage.running.discard(label)
                stage.done += 1
                stage.seconds += event.seconds
                line.made += 1
                place = event.step.place if event.step is not None else ""
                if place == "speech":
                    of = label.rpartition(" of ")[2]
                    line.spoken = {one for one in line.spoken if one.endswith(f" of {of}")} | {label}
                if told := _told(place, len(line.spoken)):
                    return [f"{event.flow}: {told}"]
            case Kind.FOUND if stage is not None:
                # One that was begun here and then found was made by another run in the meantime.
                stage.wanted += label not in stage.running
                stage.running.discard(label)
                stage.done += 1
                line.found += 1
            case Kind.FAILED if stage is not None:
                stage.running.discard(label)
            case Kind.DAMAGED:
                return [f"{event.flow}: {event.error}; it is made again"]
            case Kind.CLOSED:
                line.closed = True
                line.seconds = event.seconds
                line.error = event.error
            case _:
                pass
        return []

    @property
    def closed(self) -> int:
        return sum(line.closed for line in self.lines.values())


def stage_of(place: str) -> str:
    """The stage that a step's place belongs to."""
    return _STAGE_OF.get(place, place if place in STAGES else "script")


def _told(place: str, spoken: int) -> str:
    """What is said when a step of a place was made; nothing of most."""
    match place:
        case "script":
            return "script written"
        case "mix" if spoken:
            return f"{spoken} {'sentence' if spoken == 1 else 'sentences'} spoken, and mixed"
        case "mix":
            return "mixed"
        case "film":
            return "filmed"
        case _:
            return ""
