"""One project at work: which topics there are, what is to be made of them, and the making."""

from pipeline.studio.plans import (
    Checked,
    EpisodePlan,
    Folders,
    Left,
    Plan,
    Returns,
    Rewritten,
    SharedGpu,
    Survey,
    Work,
)
from pipeline.studio.studio import Studio, fingerprint_of

__all__ = [
    "Checked",
    "EpisodePlan",
    "Folders",
    "Left",
    "Plan",
    "Returns",
    "Rewritten",
    "SharedGpu",
    "Studio",
    "Survey",
    "Work",
    "fingerprint_of",
]
