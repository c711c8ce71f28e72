"""The import directions of docs/design.md, and what `import ftloader` may pull in."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import ftloader

SOURCE = Path(ftloader.__file__).parent

#: What each package of ours may import from the others; modules at the top count by their name.
ALLOWED = {
    "errors": set(),
    "runtime": set(),
    "rng": set(),
    "source": {"errors"},
    "policy": {"errors"},
    "options": {"errors", "policy"},
    "safety": {"errors"},
    "stages": {"errors", "policy"},
    # Pipeline.run starts an engine: the one import against the direction, made when called.
    "pipeline": {"errors", "length", "options", "policy", "safety", "source", "stages", "engine"},
    "length": {"stages", "pipeline"},
    "engine": {
        "errors",
        "runtime",
        "options",
        "policy",
        "source",
        "stages",
        "pipeline",
        "engine",
        "tuning",  # asked for numbers when a run starts, and only where a stage has none
    },
    "observe": {"errors", "runtime", "options", "pipeline", "engine", "length", "observe"},
    "tuning": {"errors", "runtime", "source", "stages", "pipeline", "tuning"},
    "interop": {"*"},
    "sizes": {"errors"},
    "detection": {"errors", "runtime", "rng", "safety", "sizes", "detection"},
    "batching": {"errors", "runtime", "rng", "safety", "sizes", "batching"},
    "loader": {
        "errors",
        "runtime",
        "policy",
        "safety",
        "stages",
        "pipeline",
        "engine",
        "detection",
        "batching",
        "loader",
    },
    "audit": {"errors", "runtime", "rng", "safety", "detection", "audit"},
    "inspect": {"__version__", "errors", "detection", "inspect"},
    "planreport": {"errors", "sizes", "detection", "batching", "inspect", "planreport"},
    "lab": {"*"},
    "doctor": {"errors", "runtime"},
    "cli": {"*"},
    "__main__": {"cli"},
    "__init__": {"*"},
}
#: Heavy or optional packages, and the one place that may import each.
GUARDED = {
    "torch": {"interop"},
    "spdl": {"engine/spdl.py"},
    "tqdm": {"observe"},
    "matplotlib": {"lab", "inspect/plots.py", "planreport/plots.py"},
    "jinja2": {"lab"},
    "pycocotools": set(),
    "cv2": set(),
}
MODULES = sorted(SOURCE.rglob("*.py"))


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """Absolute dotted names of everything a module imports."""
    parts = ("ftloader", *path.relative_to(SOURCE).with_suffix("").parts)
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: len(parts) - node.level]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            # `from . import x` imports the module x.
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_what_its_place_allows(path: Path) -> None:
    place = package_of(path)
    allowed = ALLOWED[place]
    for name in imported(path):
        root, _, rest = name.partition(".")
        if root == "ftloader" and "*" not in allowed:
            assert rest.partition(".")[0] in allowed, f"{place} imports {name}"
        if root in GUARDED:
            here = {place, path.relative_to(SOURCE).as_posix()}
            assert here & GUARDED[root], f"{path.name} imports {root}"


def loaded(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after a statement."""
    code = f"import sys, json; {statement}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)} - sys.stdlib_module_names


def test_importing_the_package_loads_nothing_but_itself() -> None:
    assert loaded("import ftloader") <= loaded("pass") | {"ftloader"}


def test_what_a_loader_needs_loads_nothing_beyond_numpy_and_pillow() -> None:
    ours = loaded("import ftloader.engine.threads, ftloader.detection; ftloader.sample_rng")
    assert ours <= loaded("import numpy.random, PIL.Image") | {"ftloader"}


def test_the_public_names_are_sorted_and_exist() -> None:
    assert ftloader.__all__ == sorted(ftloader.__all__)
    assert all(hasattr(ftloader, name) for name in ftloader.__all__)
    assert {"Pipeline", "StageError", "sample_rng"} <= set(ftloader.__all__)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_opens_with_its_promise_and_can_be_read_in_one_sitting(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no module docstring"
    assert text.count("\n") <= 300
