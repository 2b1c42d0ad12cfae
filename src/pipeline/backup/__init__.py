"""Backups: everything of a project that cannot be made again, in one file that proves itself, and its way back.

manifest   what a backup says it holds, and which names it may not say
members    the bytes of a tar archive around the files: one form, so that any other byte is damage
archive    writing such a file, and reading it with every byte compared or hashed
sources    what of a project goes in, each episode as it stood at one moment
masking    secrets stay behind
making     one backup: lock, space, unfinished beside, read back, named
keeping    which old backups may go
restoring  verified, staged, then renamed; goes on after a kill
"""

from __future__ import annotations

from pipeline.backup.archive import BadBackup, OpenBackup, open_backup
from pipeline.backup.keeping import Kept, keep
from pipeline.backup.making import Made, make_backup
from pipeline.backup.manifest import Entry, Manifest, Places
from pipeline.backup.masking import Secrets
from pipeline.backup.restoring import Restored, finish_interrupted, restore
from pipeline.backup.sources import Models, Wanted

__all__ = [
    "BadBackup",
    "Entry",
    "Kept",
    "Made",
    "Manifest",
    "Models",
    "OpenBackup",
    "Places",
    "Restored",
    "Secrets",
    "Wanted",
    "finish_interrupted",
    "keep",
    "make_backup",
    "open_backup",
    "restore",
]
