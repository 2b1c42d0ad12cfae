"""Which sampler names are known, and which of diffusers' classes with which settings each one is.

The names are AUTOMATIC1111's; the pairs follow the table in diffusers' documentation ("Schedulers", A1111/k-diffusion).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.image_server.faults import Unknown

OWN = "Default"
"""The sampler that the model was published with; for a distilled model the only one it was made for."""
AUTOMATIC = "Automatic"
"""The spacing of steps that goes with the sampler."""


@dataclass(frozen=True, slots=True)
class Sampler:
    diffusers_class: str
    settings: Mapping[str, object] = field(default_factory=dict)
    spacings: bool = False
    """Whether it can space its steps as `SCHEDULERS` name."""


SAMPLERS: Mapping[str, Sampler] = {
    OWN: Sampler(""),
    "Euler": Sampler("EulerDiscreteScheduler", spacings=True),
    "Euler a": Sampler("EulerAncestralDiscreteScheduler"),
    "Heun": Sampler("HeunDiscreteScheduler", spacings=True),
    "DPM2": Sampler("KDPM2DiscreteScheduler", spacings=True),
    "DPM2 a": Sampler("KDPM2AncestralDiscreteScheduler", spacings=True),
    "DPM++ 2M": Sampler("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}, spacings=True),
    "DDIM": Sampler("DDIMScheduler"),
    # Without it the first steps are Runge-Kutta's, four looks each, and few steps are mostly these.
    "PLMS": Sampler("PNDMScheduler", {"skip_prk_steps": True}),
    "UniPC": Sampler("UniPCMultistepScheduler", spacings=True),
    "LCM": Sampler("LCMScheduler"),
}

SCHEDULERS: Mapping[str, Mapping[str, object]] = {
    AUTOMATIC: {},
    "Karras": {"use_karras_sigmas": True},
    "Exponential": {"use_exponential_sigmas": True},
}


def named(sampler: str | None, scheduler: str | None) -> tuple[str, str]:
    """The known names for what a client sent, in any case; None and "" are the model's own.

    "DPM++ 2M Karras" is sampler and scheduler in one, as before AUTOMATIC1111 1.9. Raises Unknown, with the names
    there are.
    """
    wanted_sampler, wanted_scheduler = (sampler or OWN).strip(), (scheduler or "").strip()
    if not wanted_scheduler:
        for spacing in SCHEDULERS:
            stem = wanted_sampler[: -len(spacing) - 1]
            if wanted_sampler.casefold().endswith(f" {spacing}".casefold()) and _find(stem, SAMPLERS):
                wanted_sampler, wanted_scheduler = stem, spacing
    found = _find(wanted_sampler, SAMPLERS)
    if found is None:
        raise Unknown("Sampler not found", hint=f"{wanted_sampler!r} is none of: {', '.join(SAMPLERS)}.")
    spacing_found = _find(wanted_scheduler or AUTOMATIC, SCHEDULERS)
    if spacing_found is None:
        raise Unknown("Scheduler not found", hint=f"{wanted_scheduler!r} is none of: {', '.join(SCHEDULERS)}.")
    if spacing_found != AUTOMATIC and not SAMPLERS[found].spacings:
        able = ", ".join(name for name, known in SAMPLERS.items() if known.spacings)
        raise Unknown(f"the sampler {found} has no scheduler {spacing_found}", hint=f"These have it: {able}.")
    return found, spacing_found


def _find(wanted: str, names: Mapping[str, object]) -> str | None:
    return next((name for name in names if name.casefold() == wanted.casefold()), None)
