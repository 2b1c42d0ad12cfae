"""A local-first media pipeline: topic files in, narrated episodes out, built as `make` builds software."""

__version__ = "0.1.0"
