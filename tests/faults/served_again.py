"""A service that is killed and started again, without waiting each time for what it imports:
`python -m tests.faults.served_again PROJECT`.

Each line on standard input starts it anew, in a process of its own, an hour later for its studio each time, so that no
topic rests because its process died. It says its process's id, then its address.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

from tests.fakes import served


def main(folder: Path) -> None:
    for number, _ in enumerate(sys.stdin, 1):
        child = os.fork()
        if child == 0:
            served.main(folder, later=timedelta(hours=2 * number))
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
