"""Piper in this process: no server, no GPU, no account.

`engine` speaks, `folders` knows which voices there are, `graph` makes a voice repeatable, `phonemes` reads the text.
"""

from pipeline.engines.piper.engine import Piper

__all__ = ["Piper"]
