"""The command line: ``python tools/bundle --interpreters 3.12,3.13t --experiments scaling``.

Exit codes: 0 packed; 1 something cannot be packed; 2 bad arguments; 130 interrupted.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
from pathlib import Path
from typing import List, Optional, Tuple

from interpreters import ensure, find, talk
from interpreters.table import INTERPRETERS, Interpreter, InterpreterError, get

from . import needs, pack, project
from .errors import BundleError

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Optional[List[str]] = None) -> int:
    """Pack what the arguments ask for and return the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        experiments = needs.chosen(ROOT, asked.experiments)
        chosen = [get(name) for name in asked.interpreters]
    except (BundleError, InterpreterError) as error:
        talk.say(str(error))
        return 2
    # Ended politely, it removes what it has begun.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _pack(chosen, experiments, asked.out)
    except (BundleError, InterpreterError, OSError) as error:
        talk.say(str(error))
        return 1
    except KeyboardInterrupt:
        talk.say("interrupted; archives that were finished are kept")
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python tools/bundle",
        description="Packs experiments for a Linux x86-64 machine without network or compiler: "
        "one archive per interpreter. See docs/offline.md.",
    )
    add = parser.add_argument
    add("--interpreters", type=_names, default=[], metavar="A,B",
        help="such as 3.12,3.13t (default: all that are there)")  # fmt: skip
    add("--experiments", type=_names, default=[], metavar="A,B",
        help="such as scaling,engine_overhead (default: all that can be packed)")  # fmt: skip
    add("--out", type=Path, default=ROOT / "dist", metavar="DIR",
        help="folder for the archives (default: dist)")  # fmt: skip
    return parser


def _names(text: str) -> List[str]:
    return [name for name in text.split(",") if name]


def _pack(chosen: List[Interpreter], experiments: List[str], out: Path) -> None:
    uv = find.uv_command()
    if uv is None:
        raise BundleError("uv is needed: ./noxw -s bundle")
    if project.commit(ROOT).endswith("+changes"):
        talk.say("the tree differs from its commit; for results to publish, commit first")
    talk.say(f"experiments: {', '.join(experiments)}")
    done: List[pack.Packed] = []
    with tempfile.TemporaryDirectory(prefix="ftloader-pack-") as scratch:
        copied = project.snapshot(ROOT, Path(scratch) / "project", experiments)
        for name, python in _pythons(chosen):
            talk.say(f"packing {name} ({python}); a few minutes")
            pins = ROOT / "constraints" / f"{name}.txt"
            packed = pack.pack(pack.Wanted(name, python, copied, pins, out.resolve(), uv))
            _tell(name, packed)
            done.append(packed)
    print(pack.summary(done))


def _tell(name: str, packed: pack.Packed) -> None:
    wheels = "with downloads by uv" if packed.fetched else "from uv's cache, nothing downloaded"
    talk.say(f"{name}: wheels {wheels}; brought along: {', '.join(packed.libraries) or 'none'}")
    if not packed.stripped:
        talk.say("not stripped, so larger: install binutils for strip")


def _pythons(chosen: List[Interpreter]) -> List[Tuple[str, str]]:
    """Return name and path of each interpreter to pack; made where it was named and is missing."""
    if chosen:
        return [(one.name, ensure.ensure(one).path) for one in chosen]
    found = []
    for one in INTERPRETERS.values():
        if one.required:
            found.append((one.name, ensure.ensure(one).path))
            continue
        there = ensure.already(one) if one.twin else find.find(one, [])
        if there is None:
            talk.say(f"without {one.name}: it is not there")
        else:
            found.append((one.name, there.path))
    return found
