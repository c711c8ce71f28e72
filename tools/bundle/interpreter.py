"""Copies an interpreter into a folder from which it runs wherever that folder is put.

CPython finds its library from where its program lies, so program and library keep their places
relative to each other. Left out is what measuring does not need: test suites, IDLE and Tk,
documentation, static libraries, caches, and the extension modules for which further libraries
would have to come along (TLS, SQLite, readline, curses). hashlib keeps OpenSSL: its faster digests
are what a measured stage may call.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import List, Set

from .errors import BundleError

_LEFT_OUT = (
    "__pycache__",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtle.py",
    "turtledemo",
    "ensurepip",
    "lib2to3",
    "pydoc_data",
    "sqlite3",
    "curses",
    "dbm",
    "config-*",
    "site-packages",
    "dist-packages",
    "*.a",
    "*.o",
    "*.pyc",
)
_MODULES_LEFT_OUT = (
    "_test*",
    "_xxtest*",
    "xxlimited*",
    "xxsubtype*",
    "_ctypes_test*",
    "_tkinter*",
    "_ssl*",
    "_sqlite3*",
    "_curses*",
    "_dbm*",
    "_gdbm*",
    "_crypt*",
    "_uuid*",
    "nis*",
    "readline*",
    "ossaudiodev*",
)
_QUESTION = """
import json, os, sys, sysconfig
suffix = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
print(json.dumps({
    "program": os.path.realpath(sys.executable),
    "name": "python%d.%d" % sys.version_info[:2] + suffix,
    "prefix": os.path.realpath(sys.base_prefix),
    "library": os.path.realpath(sysconfig.get_path("stdlib")),
    "modules": os.path.realpath(sysconfig.get_config_var("DESTSHARED") or ""),
    "libc": os.confstr("CS_GNU_LIBC_VERSION") if sys.platform == "linux" else "",
    "machine": os.uname().machine,
}))
"""


@dataclass(frozen=True)
class Layout:
    """Where the parts of an interpreter lie.

    Attributes:
        program: the program, links followed.
        name: what the program is called in the copy.
        prefix: the folder that the library's place is relative to.
        library: the standard library's folder.
        modules: the folder of its extension modules.
    """

    program: Path
    name: str
    prefix: Path
    library: Path
    modules: Path


def ask(python: str) -> Layout:
    """Ask an interpreter where its parts lie.

    Raises:
        BundleError: it does not answer, or is none for Linux x86-64 with glibc.
    """
    done = subprocess.run(
        [python, "-I", "-c", _QUESTION], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False
    )
    if done.returncode != 0:
        raise BundleError(f"{python} does not run: {done.stderr.decode('utf-8', 'replace')}")
    facts = json.loads(done.stdout)
    if facts["machine"] != "x86_64" or not (facts["libc"] or "").startswith("glibc"):
        raise BundleError(f"{python} is not built for Linux x86-64 with glibc: pack on such a one")
    paths = {key: Path(facts[key]) for key in ("program", "prefix", "library", "modules")}
    if not paths["library"].is_relative_to(paths["prefix"]):
        raise BundleError(f"{python} keeps its library outside of {paths['prefix']}")
    return Layout(name=facts["name"], **paths)


def copy(layout: Layout, target: Path) -> Path:
    """Copy an interpreter to ``target``, a new folder; return its program there."""
    program = target / "bin" / layout.name
    program.parent.mkdir(parents=True)
    shutil.copy(layout.program, program)
    library = target / layout.library.relative_to(layout.prefix)
    shutil.copytree(layout.library, library, ignore=_ignored, symlinks=False)
    if not layout.modules.is_relative_to(layout.library):
        shutil.copytree(
            layout.modules,
            target / layout.modules.relative_to(layout.prefix),
            ignore=_ignored,
            dirs_exist_ok=True,
        )
    # Where it was installed says nothing about it, and is nobody's business elsewhere.
    for path in library.glob("_sysconfigdata*.py"):
        text = path.read_text(encoding="utf-8")
        if layout.prefix != Path("/usr"):
            path.write_text(text.replace(str(layout.prefix), "/python"), encoding="utf-8")
    return program


def site_packages(program: Path) -> Path:
    """Return the folder in which a copied interpreter looks for packages.

    Raises:
        BundleError: it has none of its own.
    """
    done = subprocess.run(
        [str(program), "-I", "-c", "import site; print(*site.getsitepackages(), sep='\\n')"],
        stdout=subprocess.PIPE,
        check=True,
    )
    top = os.path.realpath(program.parent.parent)
    folders = [Path(os.path.realpath(line)) for line in done.stdout.decode().splitlines()]
    own = [folder for folder in folders if folder.is_relative_to(top)]
    if not own:
        raise BundleError(f"{program} has no folder for packages below {top}")
    own[0].mkdir(parents=True, exist_ok=True)
    return own[0]


def _ignored(folder: str, names: List[str]) -> Set[str]:
    patterns = list(_LEFT_OUT)
    if os.path.basename(folder) == "lib-dynload":
        patterns += _MODULES_LEFT_OUT
    return {name for name in names for pattern in patterns if fnmatch.fnmatchcase(name, pattern)}
