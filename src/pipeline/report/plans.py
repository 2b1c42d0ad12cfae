"""What a run would make, why, and how long it would take; as text or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.report.output import Output, write_json
from pipeline.report.reasons import publishing, reason, reasons
from pipeline.report.screens import error_facts, nothing_to_do
from pipeline.stages.publish import SCRIPT
from pipeline.studio import EpisodePlan, Left, Plan
from pipeline.wiring import Workshop


def show_plan(plan: Plan, shop: Workshop, *, as_json: bool) -> None:
    if as_json:
        write_json(_plan_facts(plan, shop))
        return
    out = Output()
    for refused in plan.refused:
        out.say(f"refused: {refused}", style="red")
    for names, error in _alike(plan.episodes):
        out.say(f"{names}: cannot be made: {error}", style="red")
    for episode in plan.episodes:
        _show_episode(out, episode)
    for left in plan.left:
        if left.edited and not left.refused:
            out.say(f"{left.slug}: {left_told(left)}", style="yellow")
    if plan.nothing_to_do:
        count = len(plan.finished) + len(plan.episodes)
        if count:
            out.say(nothing_to_do(count))
        elif not plan.refused:
            out.say("Nothing to do: there are no topics in input/.")
        return
    for line in _engines(plan, shop):
        out.say(line, style="dim")
    if plan.in_two_phases:
        out.say(_phases(plan))
    out.say(_account(plan))


def _engines(plan: Plan, shop: Workshop) -> Iterable[str]:
    """Which engines would work, and why those; nothing of one that has nothing to do."""
    resources = {verdict.step.rule.resource for episode in plan.episodes for verdict in episode.to_make}
    if "llm" in resources:
        yield f"writer: {shop.writer.name} ({shop.writer.why})"
    if "speech" in resources or not all(episode.whole for episode in plan.episodes):
        yield f"voice: {shop.voice.name} ({shop.voice.why})"
    if "image" in resources or not all(episode.whole for episode in plan.episodes):
        yield f"pictures: {shop.illustrator.name} ({shop.illustrator.why})"


def _phases(plan: Plan) -> str:
    drawing = plan.drawing_seconds
    rest = (plan.seconds or 0.0) - drawing
    first, second = (f", about {_duration(seconds)}" if seconds > 0 else "" for seconds in (rest, drawing))
    return (
        f"in two phases, because one GPU serves both models: first all that is written and spoken{first}; then the "
        f"language model is unloaded, and the pictures are drawn{second}"
    )


def _account(plan: Plan) -> str:
    broken = sum(episode.error is not None for episode in plan.episodes)
    to_do = sum(not episode.nothing_to_do for episode in plan.episodes) - broken
    rest = len(plan.finished) + len(plan.episodes) - to_do - broken
    about = f"about {_duration(plan.seconds)}" if plan.seconds is not None else "how long is not known yet"
    parts = [f"{to_do} to make, {about}"] if to_do else []
    if broken:
        parts.append(f"{broken} cannot be made")
    if rest:
        parts.append("1 stays as it is" if rest == 1 else f"{rest} stay as they are")
    return f"{'; '.join(parts)}."


def _alike(planned: Sequence[EpisodePlan]) -> Iterable[tuple[str, str]]:
    """The episodes that cannot be made, those with the same error together."""
    together: dict[str, list[str]] = {}
    for episode in planned:
        if episode.error is not None:
            together.setdefault(str(episode.error), []).append(episode.work.slug)
    return ((", ".join(names), error) for error, names in together.items())


def left_told(left: Left) -> str:
    """What is said of an edit that no topic asks for."""
    gone = f"its topic ({left.source}) is gone" if left.source else "its topic is gone"
    script = f"output/{left.slug}/{SCRIPT}"
    return f"edited by hand, and {gone}; it is kept. To use it for another episode: cp {script} output/EPISODE/{SCRIPT}"


def _show_episode(out: Output, episode: EpisodePlan) -> None:
    if episode.error is not None:
        return
    if episode.nothing_to_do:
        if episode.edited:
            out.say(f"{episode.work.slug}: up to date; script.md is edited by hand and kept", style="dim")
        return
    seconds = f" (about {_duration(episode.seconds)})" if episode.seconds is not None else ""
    out.say(f"{episode.work.slug}{seconds}", style="bold")
    if episode.edited:
        out.say("  script: edited by hand, kept as it is")
    for line in reasons(episode):
        out.say(f"  {line}")
    if episode.to_come:
        *others, last = episode.to_come
        named = f"{', '.join(others)} and {last}" if others else last
        out.say(f"  then {named}, as far as what they are made of changes", style="dim")
    if episode.to_publish:
        out.say(f"  publish: {publishing(episode.to_publish)}")
    if episode.to_withdraw:
        out.say(f"  remove from output/: {', '.join(episode.to_withdraw)}, no longer asked for")


def _plan_facts(plan: Plan, shop: Workshop) -> dict[str, object]:
    return {
        "nothing_to_do": plan.nothing_to_do and not plan.refused,
        "finished": list(plan.finished),
        "seconds": plan.seconds,
        "in_two_phases": plan.in_two_phases,
        "drawing_seconds": plan.drawing_seconds,
        "writer": {"engine": shop.writer.name, "why": shop.writer.why},
        "voice": {"engine": shop.voice.name, "why": shop.voice.why},
        "illustrator": {"engine": shop.illustrator.name, "why": shop.illustrator.why},
        "refused": [error_facts(error) for error in plan.refused],
        "episodes": [
            {
                "episode": episode.work.slug,
                "source": str(episode.work.topic.source),
                "nothing_to_do": episode.nothing_to_do,
                "edited_by_hand": episode.edited,
                "seconds": episode.seconds,
                "to_come": list(episode.to_come),
                "publish": list(episode.to_publish),
                "remove": list(episode.to_withdraw),
                "make": [
                    {
                        "stage": verdict.step.place,
                        "step": verdict.step.label,
                        "why": reason(verdict, episode),
                        "key": verdict.step.key,
                    }
                    for verdict in episode.to_make
                ],
                "error": error_facts(episode.error) if episode.error is not None else None,
            }
            for episode in plan.episodes
        ],
    }


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    if seconds < 1:
        return "a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
