"""`python -m tests.mutants`: what share of small mistakes in the code that must not fail some test notices.

    python -m tests.mutants                          all modules, at most 60 mutants of each
    python -m tests.mutants net/retry.py --most 0    every mutant of one module

The survivors are shown with their change; everything goes to build/mutants.json. It ends with 1 where less than 85 in
a hundred are noticed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.mutations import Mutant, mutants_of
from tests.mutants.running import ENDLESS, FAILED, INTERRUPTED, PASSED, ROOT, Copy
from tests.mutants.table import EQUIVALENT, MODULES, Guarded

SEED = 20261121
WANTED = 0.85
REPORT = ROOT / "build" / "mutants.json"


def sampled(found: Sequence[Mutant], most: int, seed: int, module: str) -> list[Mutant]:
    """At most so many of them (0: all), the same for the same seed, in their order."""
    if not most or len(found) <= most:
        return list(found)
    chosen = random.Random(f"{seed}/{module}").sample(range(len(found)), most)
    return [found[place] for place in sorted(chosen)]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def told(mutant: Mutant) -> dict[str, object]:
    return {
        "function": mutant.function,
        "line": mutant.line,
        "kind": mutant.kind,
        "before": mutant.before,
        "after": mutant.after,
    }


def tried(copy: Copy, guarded: Guarded, most: int, seed: int) -> dict[str, object]:
    """One module's mutants, each run; raises SystemExit where its tests fail without any."""
    text = copy.text_of(guarded.module)
    begun = time.monotonic()
    if copy.run(guarded.tests, timeout_seconds=600) != PASSED:
        sys.exit(f"{guarded.module}: its tests fail as it is:\n{copy.output.read_text()}")
    whole_seconds = time.monotonic() - begun
    equivalent = {(one.function, one.before, one.after) for one in EQUIVALENT if one.module == guarded.module}
    found = mutants_of(text, within=frozenset(guarded.within))
    survivors, same, killed, endless = [], 0, 0, 0
    for mutant in sampled(found, most, seed, guarded.module):
        if (mutant.function, mutant.before, mutant.after) in equivalent:
            same += 1
            continue
        copy.with_text(guarded.module, mutant.text)
        ended = copy.run(guarded.tests, timeout_seconds=20 + 4 * whole_seconds)
        if ended in (FAILED, INTERRUPTED, ENDLESS) or ended < 0:
            killed += 1
            endless += ended == ENDLESS
        elif ended == PASSED:
            survivors.append(told(mutant))
            say(f"  {guarded.module}:{mutant.line} {mutant.function}\n    - {mutant.before}\n    + {mutant.after}")
        else:
            sys.exit(f"pytest ended with {ended}:\n{copy.output.read_text()}")
    copy.with_text(guarded.module, text)
    return {
        "module": guarded.module,
        "mutants": len(found),
        "tried": killed + len(survivors),
        "killed": killed,
        "of them by not ending": endless,
        "equivalent": same,
        "survivors": survivors,
    }


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.split("\n", 1)[0])
    parser.add_argument("modules", nargs="*", help="as in the table, such as net/retry.py; all where none is named")
    parser.add_argument("--most", type=int, default=60, help="mutants of each module; 0 for all (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--report", type=Path, default=REPORT)
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.modules) - {guarded.module for guarded in MODULES}
    if unknown:
        parser.error(f"not in the table: {', '.join(sorted(unknown))}")
    begun = time.monotonic()
    rows = []
    # Whoever is at work on this machine comes first.
    os.nice(19)
    with TemporaryDirectory(prefix="mutants-") as folder, Copy(Path(folder) / "copy") as copy:
        for guarded in MODULES:
            if not chosen.modules or guarded.module in chosen.modules:
                rows.append(row := tried(copy, guarded, chosen.most, chosen.seed))
                say(f"{row['module']}: {row['killed']} of {row['tried']} noticed, {row['equivalent']} equivalent")
    tried_in_all = sum(int(str(row["tried"])) for row in rows)
    killed = sum(int(str(row["killed"])) for row in rows)
    rate = killed / tried_in_all if tried_in_all else 1.0
    seconds = round(time.monotonic() - begun, 1)
    chosen.report.parent.mkdir(parents=True, exist_ok=True)
    told_in_all = {"seed": chosen.seed, "seconds": seconds, "rate": round(rate, 4), "modules": rows}
    chosen.report.write_text(json.dumps(told_in_all, indent=2, ensure_ascii=False) + "\n", "utf-8")
    say(f"{killed} of {tried_in_all} mutants noticed ({rate:.1%}) in {seconds} s, seed {chosen.seed}: {chosen.report}")
    return 0 if rate >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
