"""How files come to their names, and how they are read: never over somebody's, never without an end."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.files import settle_new, stage


def without_links(part: Path, final: Path) -> None:
    """What FAT and its like say to a second name."""
    del part, final
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.mark.parametrize("link", [os.link, without_links])
def test_a_new_name_is_given_only_where_nothing_lies(link: Callable[[Path, Path], None], tmp_path: Path) -> None:
    final = tmp_path / "final"
    settle_new(stage(final, b"first"), final, link=link)
    assert final.read_bytes() == b"first"
    assert [one.name for one in tmp_path.iterdir()] == ["final"]
    part = stage(final, b"second")
    with pytest.raises(FileExistsError):
        settle_new(part, final, link=link)
    assert (final.read_bytes(), part.read_bytes()) == (b"first", b"second")
    final.unlink()
    final.symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        settle_new(part, final, link=link)
    assert final.is_symlink()
