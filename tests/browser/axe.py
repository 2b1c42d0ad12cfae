"""axe-core, the rules of accessibility as a program. It is run in the page under test and shipped with nothing.

https://github.com/dequelabs/axe-core (MPL-2.0).
"""

from __future__ import annotations

from tests.npm import Release

AXE = Release("axe-core@4.14.1", "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745")


def script() -> str:
    """The program's text. Raises tests.npm.NotToBeHad."""
    return AXE.read("axe.min.js").decode()
