"""Runs what was packed, and checks that it stands on its own.

From another folder, with an empty environment: every extension module and package is imported,
and every library that the process has then mapped must come from the bundle or be glibc's. Then
every experiment is loaded, as far as its ``--help``.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Dict, List, Sequence

from . import libraries
from .errors import BundleError

_SECONDS = 120
_QUESTION = """
import importlib, importlib.machinery, json, os, sys
import sysconfig
failed = {}
modules = sys.argv[1:]
for folder in sys.path:
    if os.path.basename(folder) == "lib-dynload":
        modules += [name.partition(".")[0] for name in sorted(os.listdir(folder))]
for name in modules:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = "%s: %s" % (type(error).__name__, error)
with open("/proc/self/maps") as maps:
    mapped = {line.split(None, 5)[5].strip() for line in maps if line.count("/")}
print(json.dumps({
    "failed": failed,
    "mapped": sorted(mapped),
    "path": [os.path.realpath(folder) for folder in sys.path if folder],
    "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
}))
"""


def stands_alone(bundle: Path, program: Path, modules: Sequence[str]) -> None:
    """Check that an interpreter of a bundle stands on its own, and that experiments load in it.

    Args:
        bundle: the unpacked bundle; everything must come from it.
        program: the interpreter in it.
        modules: what must be importable besides the interpreter's own extension modules.

    Raises:
        BundleError: something cannot be imported, or comes from this machine.
    """
    facts = json.loads(_run(program, "-c", _QUESTION, *modules))
    for problem in problems(facts, bundle):
        raise BundleError(f"the packed {program.name} does not stand on its own: {problem}")
    for script in sorted((bundle / "project" / "experiments").glob("*/run.py")):
        _run(program, str(script), "--help")


def _run(program: Path, *arguments: str) -> bytes:
    """Run a packed interpreter as on a machine that has nothing; return what it prints."""
    lib = program.parent.parent / "lib"
    folders = f"{lib}:{lib / libraries.SPARE_FOLDER}"
    done = subprocess.run(
        [str(program), *arguments],
        cwd="/",
        env={"LD_LIBRARY_PATH": folders, "PYTHONNOUSERSITE": "1", "OPENSSL_CONF": "/dev/null"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        last = " ".join(done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:])
        what = Path(arguments[0]).parent.name if len(arguments) == 2 else "a first start"
        raise BundleError(f"the packed {program.name} fails in {what}: {last}")
    return done.stdout


def problems(facts: Dict[str, object], bundle: Path) -> List[str]:
    """Return what keeps a packed interpreter from running elsewhere, from what it told."""
    top = f"{bundle.resolve()}/"
    failed: Dict[str, str] = facts["failed"]  # type: ignore[assignment]
    mapped: List[str] = facts["mapped"]  # type: ignore[assignment]
    path: List[str] = facts["path"]  # type: ignore[assignment]
    found = [f"{name} cannot be imported ({why})" for name, why in failed.items()]
    found += [
        f"{name} is not in the bundle"
        for name in mapped
        if ".so" in name and not name.startswith(top) and not libraries.is_glibc(Path(name).name)
    ]
    strange = [folder for folder in path if not f"{folder}/".startswith(top)]
    found += [f"it looks for modules in {folder}" for folder in strange]
    if facts["free_threaded"] and facts["gil"]:
        found.append("one of its modules turns the GIL on")
    return found
