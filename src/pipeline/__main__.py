"""`python -m pipeline` and the console script: one exit for every way a command can end."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 some topic failed, 2 unusable settings or arguments, 130 stopped."""
    from pipeline.cli import run_command_line

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
