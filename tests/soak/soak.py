"""Ends runs in every way, over and over, and tells what was left behind.

    python tests/soak/soak.py                      # 1,000 repetitions of each case
    python tests/soak/soak.py --case interrupted --repeat 5000 --seed 7

Many repetitions share a process, except where a case ends it: those are repeated a twentieth as
often. Each process runs with warnings as errors; anything on its error stream is a failure.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.soak.cases import CASES, ENDS_PROCESS  # noqa: E402
from tests.soak.child import AT_ONCE, HANG  # noqa: E402

#: Repetitions in one process.
BATCH = 50
#: A case that ends its process is repeated so many times less often.
RARER = 20


@dataclass
class Tally:
    """What came of the repetitions of one case."""

    case: str
    repeated: int = 0
    slowest: float = 0.0
    slowest_number: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        result = f"{len(self.problems)} FAILED" if self.problems else "ok"
        slowest = f"{self.slowest * 1e3:6.0f} ms (number {self.slowest_number})"
        return f"{self.case:32} {self.repeated:6} repetitions  slowest end {slowest}  {result}"


def run_child(seed: str, first: int, count: int, *cases: str) -> Tally:
    """Run a process of the soak; all cases but one must leave the process alive."""
    tally = Tally("+".join(cases), count * len(cases))
    command = [sys.executable, "-W", "error", "-m", "tests.soak.child", seed]
    command += [str(first), str(count), *cases]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=HANG * max(2, count * len(cases) / 10),
            check=False,
        )
    except subprocess.TimeoutExpired:
        tally.problems.append(f"repetitions {first} to {first + count - 1}: no end")
        return tally
    now = time.monotonic()
    code, last_line = ENDS_PROCESS[cases[0]][1:] if cases[0] in ENDS_PROCESS else (0, "")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    lines = done.stderr.splitlines()
    for line in told:
        if line.get("slowest", 0.0) > tally.slowest:
            tally.slowest, tally.slowest_number = line["slowest"], line["number"]
        if "problem" in line:
            tally.problems.append(f"{line['case']} {line['number']}: {line['problem']}")
        if "ended" in line:
            tally.slowest = now - line["ended"]
            if tally.slowest > AT_ONCE:
                tally.problems.append(f"{first}: it took {tally.slowest:.2f} s to exit")
    if done.returncode != code and not tally.problems:
        tally.problems.append(f"{first}: the process ended with {done.returncode}, not {code}")
    quiet = not lines if not last_line else lines[-1:] == [last_line] and not complaints(lines)
    if not quiet:
        text = "\n    ".join(lines)
        tally.problems.append(f"{first}: on the error stream:\n    {text}")
    return tally


def complaints(lines: list[str]) -> list[str]:
    """Return the lines that are not the traceback of the one error that ended the process."""
    return [line for line in lines if "ignored" in line or line.startswith("Exception in")]


def soak(case: str, begin: int, repeat: int, seed: str) -> Tally:
    """Repeat one case so many times."""
    total = Tally(case)
    alone = case in ENDS_PROCESS
    repeat = max(1, repeat // RARER) if alone else repeat
    size = 1 if alone else BATCH
    for first in range(begin, begin + repeat, size):
        tally = run_child(seed, first, min(size, begin + repeat - first), case)
        total.repeated += tally.repeated
        if tally.slowest > total.slowest:
            total.slowest, total.slowest_number = tally.slowest, tally.slowest_number
        total.problems += tally.problems
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [*CASES, *ENDS_PROCESS]
    parser.add_argument("--repeat", type=int, default=1000, metavar="N", help="per case")
    parser.add_argument("--case", action="append", choices=names, help="only this one (repeatable)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number to begin with")
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)))
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, seed {options.seed}", flush=True)
    failed = 0
    for case in options.case or names:
        began = time.monotonic()
        tally = soak(case, options.first, options.repeat, options.seed)
        print(f"{tally}  in {time.monotonic() - began:.0f} s", flush=True)
        for problem in tally.problems:
            print(f"  {problem}")
        failed += len(tally.problems)
    if failed:
        again = f"python {sys.argv[0]} --seed {options.seed} --case CASE --first NUMBER --repeat 1"
        print(f"{failed} failed; to repeat one: {again}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
