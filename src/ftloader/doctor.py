"""``python -m ftloader doctor``: what this interpreter and machine can do.

Everything is tried, not guessed: a package is called usable when a process of its own has imported
it, and a package is said to turn the GIL on when it did so there.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import runtime

#: Longest a package may take to import, in seconds; torch's first time is slow.
IMPORT_SECONDS = 120

PROBE = """
import sys
sys.path[:0] = {path!r}
import importlib, json, warnings
warnings.simplefilter("ignore")
module = importlib.import_module({name!r})
gil = getattr(sys, "_is_gil_enabled", lambda: True)()
detail = {detail}
print("\\n" + json.dumps({{"gil": gil, "detail": detail}}))
"""

CUDA = "f'CUDA devices: {module.cuda.device_count()}'"
FFMPEG = "f'FFmpeg libraries: {module.utils.get_ffmpeg_versions()}'"


def main(argv: Sequence[str] | None = None) -> int:
    """Print what there is; always exit 0, since a missing package is an answer."""
    parser = argparse.ArgumentParser(prog="python -m ftloader doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")
    options = parser.parse_args(argv)
    facts = examine()
    print(json.dumps(facts, indent=2) if options.json else as_text(facts))
    return 0


def examine() -> dict[str, dict[str, str]]:
    """Return the facts, as sections of label and text."""
    return {
        "Interpreter": interpreter_facts(),
        "Machine": machine_facts(),
        "Packages": package_facts(),
        "Engines and extras": extra_facts(),
        "The GIL": gil_facts(),
    }


def as_text(facts: dict[str, dict[str, str]]) -> str:
    """Return the facts as aligned lines under headings."""
    width = max(len(label) for section in facts.values() for label in section)
    lines: list[str] = []
    for heading, section in facts.items():
        lines += ["", heading] if lines else [heading]
        lines += [f"  {label:{width}}  {text}" for label, text in section.items()]
    return "\n".join(lines)


def interpreter_facts() -> dict[str, str]:
    """Return what interpreter this is and whether its GIL is on."""
    build = "free-threaded build" if runtime.free_threaded_build() else "build with the GIL"
    flags = ", ".join(f"{name} {value}" for name, value in runtime.build_flags().items() if value)
    return {
        "version": sys.version.split(" (")[0],
        "name": f"{runtime.interpreter_name()} ({build})",
        "path": sys.executable,
        "GIL": "on" if runtime.gil_enabled() else "off",
        "built with": flags,
    }


def machine_facts() -> dict[str, str]:
    """Return the cores and memory that this process may use."""
    quota, limit, total = (
        runtime.cgroup_cpu_quota(),
        runtime.cgroup_memory_limit(),
        runtime.memory_total(),
    )
    return {
        "processor": runtime.cpu_model(),
        "usable cores": str(runtime.usable_cores()),
        "container CPU limit": "none" if quota is None else f"{quota:g} cores",
        "memory": "unknown" if total is None else f"{total / 2**30:.1f} GiB",
        "container memory limit": "none" if limit is None else f"{limit / 2**30:.1f} GiB",
    }


def package_facts() -> dict[str, str]:
    """Return the versions of the packages ftloader may use."""
    names = ("ftloader", "numpy", "pillow", "spdl-core", "torch", "matplotlib", "jinja2")
    return {name: version_of(name) for name in names}


def version_of(distribution: str) -> str:
    """Return an installed distribution's version, or say that it is missing."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def extra_facts() -> dict[str, str]:
    """Try what is optional, each in a process of its own."""
    program = shutil.which("ffmpeg")
    return {
        "engine 'threads'": "usable",
        "engine 'spdl'": usable("spdl.pipeline", "''", "pip install 'ftloader[spdl]'"),
        "torch": usable("torch", CUDA, "pip install 'ftloader[torch]'"),
        "FFmpeg for spdl.io": usable("spdl.io", FFMPEG, "pip install spdl-io, and FFmpeg itself"),
        "ffmpeg program": program or "not on PATH",
    }


def usable(module: str, detail: str, remedy: str) -> str:
    """Import a module elsewhere and tell how it went."""
    result = probe(module, detail)
    if "error" in result:
        return f"not usable: {result['error']} ({remedy})"
    return "; ".join(filter(None, ("usable", str(result["detail"]))))


def gil_facts() -> dict[str, str]:
    """Import every installed package that has extension modules and see what that does."""
    if not runtime.free_threaded_build():
        return {"re-enabled by": "not a question here: this build always has it"}
    names = sorted(extension_packages(importlib.metadata.distributions()))
    with ThreadPoolExecutor(runtime.usable_cores()) as pool:
        results = dict(zip(names, pool.map(probe, names), strict=True))
    guilty = [name for name, result in results.items() if result.get("gil")]
    broken = [name for name, result in results.items() if "error" in result]
    kept = [name for name in names if name not in guilty and name not in broken]
    return {
        "re-enabled by": ", ".join(guilty) or "none of the installed packages",
        "left off by": ", ".join(kept) or "none",
        "not importable": ", ".join(broken) or "none",
    }


def extension_packages(distributions: Iterable[importlib.metadata.Distribution]) -> set[str]:
    """Return the importable top-level names of distributions that hold compiled modules."""
    names = set()
    for distribution in distributions:
        for file in distribution.files or ():
            first = file.parts[0].partition(".")[0]
            if file.suffix == ".so" and first.isidentifier() and ".libs" not in file.parts[0]:
                names.add(first)
    return names


def probe(module: str, detail: str = "''") -> dict[str, Any]:
    """Import a module in a fresh interpreter.

    Returns:
        ``gil`` (whether the GIL was on afterwards) and ``detail``, or ``error``.
    """
    code = PROBE.format(name=module, detail=detail, path=sys.path)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=IMPORT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"its import took over {IMPORT_SECONDS} s"}
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return {"error": lines[-1] if lines else f"the interpreter ended with {done.returncode}"}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
