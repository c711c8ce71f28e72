"""Writes the constraints files anew: ``python tools/update_constraints.py`` (needs uv).

Names of interpreters after it write theirs alone: ``python tools/update_constraints.py 3.13``.

One file per interpreter, names and exact versions only, wheels only. Versions in ``PINNED`` are
the same on every interpreter, because digests of results are compared between them. What is only
measured beside its twin keeps to all of the twin's versions for which it has wheels.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, Sequence

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
TOOLS = ("hatchling", "editables", "pytest-run-parallel", "torchdata==0.11.0")
HEADER = "# {what}. Written by tools/update_constraints.py; do not edit.\n"


def main() -> int:
    """Write all files; return the exit code."""
    uv = find.uv_command()
    if uv is None:
        print("uv is needed: ./noxw -s constraints", file=sys.stderr)
        return 1
    try:
        chosen = [table.get(name) for name in sys.argv[1:]]
    except table.InterpreterError as error:
        print(error, file=sys.stderr)
        return 2
    for wanted in chosen or table.INTERPRETERS.values():
        _write_sessions(uv, wanted)
    if chosen:
        return 0
    _write_oracle(uv)
    for name in ("3.12", "3.13t"):
        _write_libraries(uv, name)
    lines = _compile(uv, ["--universal", "--python-version", "3.9"], ["nox", "uv"])
    _write("nox.txt", "What ./noxw installs, on any Python from 3.9", lines)
    return 0


def _write_sessions(uv: str, wanted: table.Interpreter) -> None:
    """Write what the sessions on one interpreter install."""
    project = [str(ROOT / "pyproject.toml"), "--all-extras", "--group", "dev"]
    try:
        where = _imagined(wanted) if wanted.twin else ["--python", ensure.ensure(wanted).path]
    except table.InterpreterError:
        if wanted.required:
            raise
        where = _imagined(wanted)
    keep = _lines(f"{wanted.twin}.txt") if wanted.twin else []
    lines = _compile(uv, [*project, *where], [*PINNED, *TOOLS], keep)
    _write(f"{wanted.name}.txt", f"What sessions on CPython {wanted.name} install", lines)


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


def _compile(uv: str, options: List[str], requirements: List[str], keep: Sequence[str] = ()) -> str:
    """Return the resolved lines; versions in ``keep`` stay wherever they can."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder, "asked.in"), Path(folder, "answer.txt")
        asked.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        # uv prefers the versions that the file it is to write holds already.
        answer.write_text("".join(f"{line}\n" for line in keep), encoding="utf-8")
        command = [uv, "pip", "compile", "--quiet", "--no-annotate", "--no-header"]
        command += ["--only-binary", ":all:", "--no-emit-index-url", "--no-emit-find-links"]
        command += ["--output-file", str(answer), *([] if keep else ["--upgrade"])]
        subprocess.run(
            [*command, *options, str(asked)], cwd=ROOT, stdout=subprocess.DEVNULL, check=True
        )
        lines = sorted(answer.read_text(encoding="utf-8").splitlines())
    # The project itself is no constraint.
    return "".join(f"{line}\n" for line in lines if not line.startswith(("ftloader", "-e", "#")))


def _write(name: str, what: str, lines: str) -> None:
    (ROOT / "constraints" / name).write_text(HEADER.format(what=what) + lines, encoding="utf-8")
    print(f"constraints/{name}: {len(lines.splitlines())} packages")


if __name__ == "__main__":
    sys.exit(main())
