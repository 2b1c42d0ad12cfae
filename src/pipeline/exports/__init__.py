"""Episodes in files that a person takes elsewhere: other kinds of sound, or all that an episode consists of.

Made from what is published and nothing else, so that it works where the store, the models and the topics are gone.
What is not as its manifest says is refused by name; what lies in the folder and was not made here is never touched.
"""

from __future__ import annotations

from pipeline.exports.episode import found
from pipeline.exports.making import Exported, Made, Show, Wish, export
from pipeline.exports.names import SOUNDS

__all__ = ["SOUNDS", "Exported", "Made", "Show", "Wish", "export", "found"]
