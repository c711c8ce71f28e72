"""Fuzz image bytes and COCO files: ``python -m tests.detection.fuzz.fuzz --cases 100000``.

Batches of cases run in processes of their own, with a limit on memory and a time-out per case, so
that a crash, a hang or a bomb is a finding with a number; ``--only images:1234`` runs it again.
Exit status 1 if there are findings.
"""

from __future__ import annotations

import argparse
import resource
import select
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path

BATCH = 2500
MEMORY = 3 << 30  # bytes of address space: twice what the largest image allowed needs
EVERY = 100  # cases between two words
CPU = 60  # seconds of processor time between two words; a case takes milliseconds
PATIENCE = 1200  # seconds without a word: it waits for something


def run_batch(kind: str, first: int, last: int) -> None:
    """Run cases in this process; a line on stdout for every finding and as a sign of life."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    from tests.detection.fuzz import annotations, images

    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            if (number - first) % EVERY == 0:
                print(f"at {number}", flush=True)
                # The signal ends the process, wherever it is.
                signal.setitimer(signal.ITIMER_PROF, CPU)
            try:
                if kind == "images":
                    counts[images.check(number)] += 1
                else:
                    counts[annotations.check(number, Path(folder))] += 1
            except BaseException:
                text = traceback.format_exc().strip().replace("\n", " | ")
                print(f"finding {kind}:{number} {text}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"done {counts['sample']} {counts['refused']} {peak}", flush=True)


def watch_batch(kind: str, first: int, last: int) -> tuple[Counter[str], list[str], int]:
    """Run a batch in a process; return counts, findings and the peak of memory in MB."""
    command = [sys.executable, "-X", "faulthandler", "-m", __spec__.name, "--batch"]
    command += [f"{kind}:{first}:{last}"]
    findings: list[str] = []
    counts: Counter[str] = Counter()
    peak, at = 0, f"{kind}:{first}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdout is not None
        while True:
            if not select.select([process.stdout], [], [], PATIENCE)[0]:
                process.kill()
                findings.append(f"{at}: no end in {PATIENCE} s, in {EVERY} cases from here")
                break
            word, _, rest = process.stdout.readline().partition(" ")
            if word == "at":
                at = f"{kind}:{rest.strip()}"
            elif word == "finding":
                findings.append(rest.strip())
            elif word == "done":
                sample, refused, peak = map(int, rest.split())
                counts.update(sample=sample, refused=refused)
            elif not word:
                break
        if process.wait() and not findings:
            findings.append(f"{at}: exit status {process.returncode}, in {EVERY} cases from here")
    return counts, findings, peak


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000, help="how many, three in ten COCO")
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", metavar="KIND:NUMBER", help="run one case, in this process")
    parser.add_argument("--batch", metavar="KIND:FIRST:LAST", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.batch or options.only:
        kind, first, *last = (options.batch or options.only).split(":")
        run_batch(kind, int(first), int(last[0]) if last else int(first) + 1)
        return 0
    shares = {"annotations": options.cases * 3 // 10}
    shares["images"] = options.cases - shares["annotations"]
    findings: list[str] = []
    for kind, cases in shares.items():
        counts: Counter[str] = Counter()
        peak = 0
        for first in range(options.start, options.start + cases, BATCH):
            last = min(first + BATCH, options.start + cases)
            found, new, high = watch_batch(kind, first, last)
            counts += found
            peak = max(peak, high)
            for finding in new:
                print(f"FINDING {finding}", flush=True)
            findings += new
        ran = f"{sum(counts.values())} {kind}: {counts['sample']} samples, "
        print(f"{ran}{counts['refused']} refused, peak {peak} MB", flush=True)
    print(f"{len(findings)} findings on {sys.version.split()[0]}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
