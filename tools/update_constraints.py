"""Writes the constraints files anew: ``python tools/update_constraints.py`` (needs uv).

One file per interpreter, names and exact versions only, wheels only. Versions in ``PINNED`` are
the same on every interpreter, because digests of results are compared between them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from interpreters import ensure, find, table  # noqa: E402

# The last releases with wheels for 3.13t, or older ones that all interpreters have.
PINNED = (
    "numpy==2.4.6",
    "pillow==12.2.0",
    "matplotlib==3.11.1",
    "jinja2==3.1.6",
    "spdl-core==0.8.0",
    "spdl-io==0.8.0",
    "torch==2.11.0",
)
# The oracle session compares with what the others compute: the same NumPy and Pillow.
PINNED_ORACLE = tuple(pin for pin in PINNED if not pin.startswith("spdl-io"))
# What sessions install besides the project's own groups and extras.
TOOLS = ("hatchling", "editables", "pytest-run-parallel")
HEADER = "# {what}. Written by tools/update_constraints.py; do not edit.\n"


def main() -> int:
    """Write all files; return the exit code."""
    uv = find.uv_command()
    if uv is None:
        print("uv is needed: ./noxw -s constraints", file=sys.stderr)
        return 1
    project = [str(ROOT / "pyproject.toml"), "--all-extras", "--group", "dev"]
    for wanted in table.INTERPRETERS.values():
        try:
            where = ["--python", ensure.ensure(wanted).path]
        except table.InterpreterError:
            if wanted.required:
                raise
            where = _imagined(wanted)
        lines = _compile(uv, [*project, *where], [*PINNED, *TOOLS])
        _write(f"{wanted.name}.txt", f"What sessions on CPython {wanted.name} install", lines)
    _write_oracle(uv)
    for name in ("3.12", "3.13t"):
        _write_libraries(uv, name)
    lines = _compile(uv, ["--universal", "--python-version", "3.9"], ["nox", "uv"])
    _write("nox.txt", "What ./noxw installs, on any Python from 3.9", lines)
    return 0


def _write_oracle(uv: str) -> None:
    """Write what the oracle session installs, with versions of its own."""
    options = [str(ROOT / "pyproject.toml"), "--extra", "report", "--extra", "spdl"]
    options += ["--group", "test", "--python", ensure.ensure(table.INTERPRETERS["3.12"]).path]
    options += ["--overrides", str(ROOT / "constraints" / "oracle-overrides.txt")]
    lines = _compile(uv, options, [*PINNED_ORACLE, *_lines("oracle.in"), "hatchling", "editables"])
    _write("oracle.txt", "What the oracle session installs on CPython 3.12", lines)


def _write_libraries(uv: str, name: str) -> None:
    """Write what the thread-safety session installs on one interpreter."""
    pins = f"libraries-{name}"
    options = [str(ROOT / "pyproject.toml"), "--extra", "report", "--extra", "audit"]
    options += ["--group", "test", "--python", ensure.ensure(table.INTERPRETERS[name]).path]
    options += ["--overrides", str(ROOT / "constraints" / f"{pins}-overrides.txt")]
    lines = _compile(uv, options, [*PINNED_ORACLE, *_lines("libraries.in"), *TOOLS[:2]])
    _write(f"{pins}.txt", f"What the thread-safety session installs on CPython {name}", lines)


def _lines(name: str) -> List[str]:
    lines = (ROOT / "constraints" / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _imagined(wanted: table.Interpreter) -> List[str]:
    """Return the options that resolve for an interpreter that is not here."""
    version = "{}.{}".format(*wanted.version)
    return ["--python-version", version, "--python-platform", "x86_64-manylinux_2_28"]


def _compile(uv: str, options: List[str], requirements: List[str]) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write("\n".join(requirements) + "\n")
        file.flush()
        command = [uv, "pip", "compile", "--quiet", "--no-annotate", "--no-header", "--upgrade"]
        command += ["--only-binary", ":all:", "--no-emit-index-url", "--no-emit-find-links"]
        done = subprocess.run(
            [*command, *options, file.name],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
    # The project itself is no constraint.
    lines = done.stdout.decode().splitlines()
    return "".join(f"{line}\n" for line in lines if not line.startswith(("ftloader", "-e", "#")))


def _write(name: str, what: str, lines: str) -> None:
    (ROOT / "constraints" / name).write_text(HEADER.format(what=what) + lines, encoding="utf-8")
    print(f"constraints/{name}: {len(lines.splitlines())} packages")


if __name__ == "__main__":
    sys.exit(main())
