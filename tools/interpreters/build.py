"""Builds a CPython from its release source, once per user, into our own cache.

The build is plain: ``configure --disable-gil`` and nothing else, no PGO and no LTO, so that it
compares with another plain build and takes minutes instead of half an hour. Its twin with the GIL
is built from the same tarball in the same way, without that option. What is installed is staged and
then moved into its place by one rename. An interrupted build goes on where it stopped; where what
is left of it does not compile, it starts again from a clean tree. Two builds at once take turns,
and the second uses what the first has made.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, List

from . import cache, probe, sources, steps, talk
from .table import Interpreter, InterpreterError

# Without these the interpreter is of no use here; without the others something may be missed.
NEEDED_MODULES = ("zlib", "ctypes")
WANTED_MODULES = ("ssl", "sqlite3", "bz2", "lzma")
_HEADERS = (
    ("zlib.h", "zlib1g-dev", True),
    ("ffi.h", "libffi-dev", True),
    ("openssl/ssl.h", "libssl-dev", False),
    ("sqlite3.h", "libsqlite3-dev", False),
    ("bzlib.h", "libbz2-dev", False),
    ("lzma.h", "liblzma-dev", False),
)
_INSTALL_S = 20.0
_COMPILES = re.compile(r"\s-c\s.*\s-o\s|\s-o\s.*\s-c\s|^\S+ -c\s")


def build(wanted: Interpreter, tried: List[str]) -> probe.Found:
    """Return an interpreter built from source; built now unless it was built before.

    Args:
        wanted: what to build.
        tried: gets a line for each source that was asked in vain.

    Raises:
        InterpreterError: it cannot be built; the message says why and what to do.
    """
    folder = cache.interpreters_folder()

    def waiting(owner: str) -> None:
        talk.say(f"{wanted.name} is being built by another call ({owner}); waiting for it")

    with cache.lock(folder / f"build-{wanted.name}.lock", waiting) as held:
        for prefix in cache.built():
            found = _check_prefix(prefix, wanted)
            if found is not None:
                return found
        check_tools(wanted)
        tarball = sources.fetch(wanted, folder / "sources", tried)
        work = folder / f"build-{wanted.name}"
        try:
            prefix = _Build(wanted, tarball, work, held).run()
        except steps.StepFailed as error:
            raise InterpreterError(f"building CPython {wanted.name}: {error}") from error
        found = _check_prefix(prefix, wanted)
        if found is None:
            raise InterpreterError(f"the interpreter built in {prefix} is not {wanted.name}")
        return found


def check_tools(wanted: Interpreter) -> None:
    """Check that a compiler, make and the needed headers are there.

    Raises:
        InterpreterError: something is missing; the message names the Debian packages to install.
    """
    missing: Dict[str, bool] = {}
    if shutil.which("make") is None:
        missing["make"] = True
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not _compiles(compiler, "stdio.h"):
        missing["gcc"] = missing["libc6-dev"] = True
    else:
        missing.update({p: need for h, p, need in _HEADERS if not _compiles(compiler, h)})
    if any(missing.values()):
        raise InterpreterError(
            f"building CPython {wanted.name} needs a compiler and headers; install (Debian, "
            f"Ubuntu): apt-get install {' '.join(missing)}"
        )
    if missing:
        talk.say(
            f"{wanted.name} will lack modules; better first: apt-get install " + " ".join(missing)
        )


def usable_cores() -> int:
    """Return the number of cores this process may use: affinity, cut by a container's quota."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(cores, -(-int(quota) // int(period))))
    except (OSError, ValueError):  # no cgroup, or no limit ("max")
        return cores


class _Build:
    """One build in its work folder. The lock is held by the caller."""

    def __init__(self, wanted: Interpreter, tarball: Path, work: Path, held: int) -> None:
        self._wanted = wanted
        self._tarball = tarball
        self._work = work
        self._held = held
        self._log = work.parent / "logs" / f"build-{wanted.name}.log"
        self._progress = talk.Progress()
        self._cores = usable_cores()

    def run(self) -> Path:
        """Build, install and stamp; return the prefix."""
        resumed = (self._work / "configured").is_file()
        self._work.mkdir(parents=True, exist_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if not resumed:
            self._log.unlink(missing_ok=True)
        cores = "1 core" if self._cores == 1 else f"{self._cores} cores"
        talk.say(
            f"{'going on with the build of' if resumed else 'building'} CPython "
            f"{self._wanted.name} from {self._tarball.name} on {cores}; once, about "
            f"{max(1, round(8 / self._cores))} min; log: {self._log}"
        )
        start = time.monotonic()
        try:
            prefix = self._attempt()
        except steps.StepFailed:
            if not resumed:
                raise
            talk.say("what an interrupted build has left does not build; starting from scratch")
            shutil.rmtree(self._work)
            self._work.mkdir()
            prefix = self._attempt()
        finally:
            self._progress.clear()
        shutil.rmtree(self._work)
        took = talk.duration(time.monotonic() - start)
        talk.say(f"CPython {self._wanted.name} is ready in {prefix} after {took}")
        return prefix

    def _attempt(self) -> Path:
        tree = sources.unpack(self._tarball, self._work)
        release = sources.release_of(tree)
        prefix = cache.prefix_for(release, self._wanted.free_threaded)
        self._configure(tree, prefix)
        self._compile(tree)
        self._install(tree, prefix, release)
        return prefix

    def _step(
        self, name: str, command: List[str], tree: Path, on_line: Callable[[str], None]
    ) -> None:
        steps.run(name, command, tree, self._log, on_line, self._held)

    def _configure(self, tree: Path, prefix: Path) -> None:
        flags = ["--disable-gil"] if self._wanted.free_threaded else []
        command = ["./configure", *flags, "--with-ensurepip=no", f"--prefix={prefix}"]
        mark = self._work / "configured"
        if mark.is_file() and mark.read_text(encoding="utf-8") == repr(command):
            return
        checks = 0

        def on_line(line: str) -> None:
            nonlocal checks
            checks += line.startswith("checking")
            self._progress.show(f"step 1 of 3, configuring: {checks} checks made")

        self._step("configure", command, tree, on_line)
        mark.write_text(repr(command), encoding="utf-8")

    def _compile(self, tree: Path) -> None:
        plan = subprocess.run(
            ["make", "-n"],
            cwd=tree,
            env=steps.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        lines = plan.stdout.decode("utf-8", "replace").splitlines()
        clock = steps.Clock(sum(bool(_COMPILES.search(line)) for line in lines))

        def on_line(line: str) -> None:
            clock.done += bool(_COMPILES.search(line))
            done = min(clock.done, clock.total)
            left = (
                "about " + talk.duration(clock.left() + _INSTALL_S)
                if done >= 30
                else "a few minutes"
            )
            self._progress.show(
                f"step 2 of 3, compiling: {done} of {clock.total} files, {left} left"
            )

        self._step("make", ["make", f"-j{self._cores}"], tree, on_line)

    def _install(self, tree: Path, prefix: Path, release: str) -> None:
        staging = self._work / "staging"
        shutil.rmtree(staging, ignore_errors=True)

        def on_line(line: str) -> None:
            self._progress.show(f"step 3 of 3, installing: less than {_INSTALL_S:.0f} s left")

        self._step("make install", ["make", "install", f"DESTDIR={staging}"], tree, on_line)
        staged = staging / prefix.relative_to(prefix.anchor)
        try:
            _check_modules(tree / "python")
        except InterpreterError:
            # What configure found out is void once the missing library is installed.
            shutil.rmtree(self._work)
            raise
        facts = {"name": self._wanted.name, "release": release, "source": self._tarball.name}
        cache.write_stamp(staged, facts)
        # Whatever lies there is unfinished: a finished one would have been used.
        shutil.rmtree(prefix, ignore_errors=True)
        staged.rename(prefix)


def _check_modules(python: Path) -> None:
    """Import the modules that depend on libraries; the needed ones must be there."""
    lacking = [name for name in (*NEEDED_MODULES, *WANTED_MODULES) if not _imports(python, name)]
    if any(name in NEEDED_MODULES for name in lacking):
        raise InterpreterError(
            f"the build lacks {', '.join(lacking)}; install zlib1g-dev libffi-dev and try again"
        )
    if lacking:
        talk.say(f"warning: the build lacks {', '.join(lacking)}; ftloader does not need them")


def _imports(python: Path, module: str) -> bool:
    command = [str(python), "-E", "-c", f"import {module}"]
    quiet = subprocess.DEVNULL
    return (
        subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, check=False).returncode
        == 0
    )


def _check_prefix(prefix: Path, wanted: Interpreter) -> "probe.Found | None":
    for command in wanted.commands[:-2]:
        if (prefix / "bin" / command).is_file():
            found = probe.ask(str(prefix / "bin" / command), "ftloader's cache")
            if isinstance(found, probe.Found) and probe.mismatch(found, wanted) is None:
                return found
    return None


def _compiles(compiler: str, header: str) -> bool:
    done = subprocess.run(
        [*compiler.split(), "-E", "-"],
        input=f"#include <{header}>\n".encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0
