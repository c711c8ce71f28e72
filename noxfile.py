"""The project's sessions: ``./noxw -l`` lists them, ``./noxw -s tests`` runs some.

Interpreters come from ``tools/interpreters``, packages from one constraints file per interpreter
(wheels only). An environment below ``.nox`` is made once and reused until the interpreter, the
constraints or ``pyproject.toml`` change. What follows ``--`` goes to the program that a session
runs: pytest, the experiment, the report.
"""

from __future__ import annotations

import ctypes.util
import dataclasses
import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Iterable, Tuple

import nox

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))

from interpreters import cache, cli, ensure, find, talk  # noqa: E402
from interpreters.table import INTERPRETERS, Interpreter, InterpreterError, get  # noqa: E402

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["tests", "lint", "types"]

MAIN = INTERPRETERS["3.12"]
EVERY = tuple(INTERPRETERS.values())
# The others are measured beside their twins, where they were made; nothing is tested on them.
TESTED = tuple(interpreter for interpreter in EVERY if not interpreter.twin)
MORE_EXPERIMENTS = ("sharing", "head_of_line", "object_store", "memory")
PATH_OPTIONS = ("--data", "--out", "--real-data", "--report", "--cache", "--continue")
SHAREABLE_TESTS = (
    "tests/detection",
    "tests/conformance",
    "tests/test_rng.py",
    "tests/test_pipeline.py",
)
WORKFLOWS = (".github/workflows/ci.yml", ".github/workflows/bench.yml")


def requirements(name: str) -> "list[str]":
    """Return the lines of a file below ``constraints``, without comments."""
    lines = (ROOT / "constraints" / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@dataclasses.dataclass(frozen=True)
class Environment:
    """What an environment holds beside the project: extras, dependency groups, packages.

    ``pins`` names a constraints file of its own, beside which a file of overrides may lie.
    """

    suffix: str
    extras: Tuple[str, ...] = ("report", "spdl")
    groups: Tuple[str, ...] = ("test",)
    packages: Tuple[str, ...] = ()
    pins: str = ""

    def folder(self, interpreter: Interpreter) -> Path:
        """Return where this environment lies for one interpreter."""
        return ROOT / ".nox" / f"py{interpreter.name}{self.suffix}"

    def constraints(self, interpreter: Interpreter) -> Path:
        """Return the file that names every package's version."""
        return ROOT / "constraints" / f"{self.pins or interpreter.name}.txt"

    def overrides(self) -> "Path | None":
        """Return the file of requirements that replace what packages ask for, if there is one."""
        path = ROOT / "constraints" / f"{self.pins}-overrides.txt"
        return path if self.pins and path.is_file() else None


# Tests, benches and reports share one; torch is 4.6 GB, so integration has its own.
BASE = Environment("", packages=("pytest-run-parallel",))
TORCH = Environment(
    "-torch",
    extras=("report", "spdl", "torch"),
    packages=("pytest-run-parallel", "spdl-io", "torchdata"),
)
# The references' versions belong together and hold nobody else's back.
ORACLE = Environment("-oracle", packages=tuple(requirements("oracle.in")), pins="oracle")
# Whose transforms the thread-safety session audits; versions of their own as well.
LIBRARIES = {
    name: Environment(
        "-libraries",
        extras=("report", "audit"),
        packages=tuple(requirements("libraries.in")),
        pins=f"libraries-{name}",
    )
    for name in ("3.12", "3.13t")
}
CHECKS = Environment("-checks", groups=("test", "lint", "types"))


def session(name: str, doc: str):  # type: ignore[no-untyped-def]
    """Register a function as the session ``name``; its environment is made by ``python_for``."""

    def register(function):  # type: ignore[no-untyped-def]
        function.__doc__ = doc
        return nox.session(name=name, venv_backend="none")(function)

    return register


def python_for(session: nox.Session, interpreter: Interpreter, wanted: Environment) -> str:
    """Return the python of an environment, made first where it is missing or out of date.

    Skips the session where the interpreter cannot be had and may be missing; fails it otherwise.
    """
    try:
        base = ensure.ensure(interpreter)
    except InterpreterError as error:
        if interpreter.required:
            session.error(str(error))
        session.log(str(error))
        session.skip(f"no CPython {interpreter.name} found")
    uv = find.uv_command()
    if uv is None:
        session.error("uv is not installed: call ./noxw instead of nox, or pip install uv")
    folder = wanted.folder(interpreter)
    constraints = wanted.constraints(interpreter)
    overrides = wanted.overrides()
    facts = (base.path, base.full_version, str(ROOT), dataclasses.astuple(wanted))
    text = [repr(facts).encode(), constraints.read_bytes(), (ROOT / "pyproject.toml").read_bytes()]
    text += [] if overrides is None else [overrides.read_bytes()]
    stamp, key = folder / "ftloader-stamp", hashlib.sha256(b"\0".join(text)).hexdigest()

    def waiting(owner: str) -> None:
        talk.say(f"{folder.name} is being made by another call ({owner}); waiting for it")

    with cache.lock(folder.with_suffix(folder.suffix + ".lock"), waiting):
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != key:
            fill(session, uv, base.path, folder, constraints, wanted)
            stamp.write_text(key, encoding="utf-8")
    return str(folder / "bin" / "python")


def fill(
    session: nox.Session,
    uv: str,
    base: str,
    folder: Path,
    constraints: Path,
    wanted: Environment,
) -> None:
    """Make the environment anew and install the packages and the project, editable."""
    if "torch" in wanted.extras or wanted.pins:
        session.log("torch and what it needs are 4.6 GB, downloaded once into uv's cache")
    shutil.rmtree(folder, ignore_errors=True)
    env = clean(VIRTUAL_ENV=None, UV_PROJECT_ENVIRONMENT=None)
    session.run(uv, "venv", "--quiet", "--no-project", "--python", base, str(folder), env=env)
    install = (uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"))
    extras = [f"--extra={extra}" for extra in wanted.extras]
    groups = [f"--group=pyproject.toml:{group}" for group in wanted.groups]
    pinned = ["--only-binary", ":all:", "--constraint", str(constraints)]
    overrides = wanted.overrides()
    pinned += [] if overrides is None else ["--overrides", str(overrides)]
    packages = ("hatchling", "editables", *wanted.packages)
    session.run(
        *install, *pinned, "--requirement", "pyproject.toml", *extras, *groups, *packages, env=env
    )
    # Built with the hatchling just installed: nothing is fetched past the constraints.
    session.run(*install, "--no-build-isolation", "--no-deps", "--editable", ".", env=env)


def clean(**more: "str | None") -> "dict[str, str | None]":
    """Return the settings that every program runs under.

    The GIL's state is nobody's but the interpreter's: a test that only passes with PYTHON_GIL=0
    would hide an extension module that turns the GIL on.
    """
    unset = ("PYTHON_GIL", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")
    return {**dict.fromkeys(unset), **more}


def posargs(session: nox.Session) -> "list[str]":
    """Return what followed ``--``, with relative paths as they were meant where it was typed."""
    result = []
    is_path = False
    for argument in session.posargs:
        option, equals, value = argument.partition("=")
        if is_path:
            argument = os.path.join(session.invoked_from, argument)
        elif equals and option in PATH_OPTIONS:
            argument = f"{option}={os.path.join(session.invoked_from, value)}"
        is_path = not is_path and argument in PATH_OPTIONS
        result.append(argument)
    return result


def per_interpreter(interpreter: Interpreter) -> None:
    """Register the sessions that exist once per interpreter."""
    name = interpreter.name
    condition = "" if interpreter.required else " (skipped where none is found)"
    if interpreter.twin:
        condition = f" (with {interpreter.twin}'s flags; built first where there is none)"

    @session(f"tests-{name}", f"Run the test suite on CPython {name}{condition}.")
    def tests(session: nox.Session) -> None:
        python = python_for(session, interpreter, BASE)
        arguments = posargs(session)
        # A path after -- is run instead of the whole suite, not beside it.
        if not any(argument.startswith("tests") for argument in arguments):
            arguments = ["tests", "--ignore=tests/integration", *arguments]
        session.run(python, "-m", "pytest", *arguments, env=clean())

    @session(f"bench-{name}", f"Measure how threads scale on CPython {name}{condition}.")
    def bench(session: nox.Session) -> None:
        run_bench(session, [python_for(session, interpreter, BASE)])

    if interpreter.required:

        @session(
            f"integration-{name}",
            f"Run the tests that need torch and FFmpeg on CPython {name} (4.6 GB once).",
        )
        def integration(session: nox.Session) -> None:
            require_ffmpeg(session)
            python = python_for(session, interpreter, TORCH)
            arguments = ("tests/integration", *posargs(session))
            session.run(python, "-m", "pytest", *arguments, env=clean())


@session(
    "parallel-3.13t",
    "Run each unit test in four threads at once on CPython 3.13t (pytest-run-parallel).",
)
def parallel(session: nox.Session) -> None:
    """Tests of processes, shutdown and measuring are left out: they own the whole process."""
    python = python_for(session, INTERPRETERS["3.13t"], BASE)
    threads = ("--parallel-threads=4", "--iterations=1")
    session.run(python, "-m", "pytest", *SHAREABLE_TESTS, *threads, *posargs(session), env=clean())


def run_bench(
    session: nox.Session, pythons: "list[str]", experiment: str = "scaling", named: bool = False
) -> None:
    """Run an experiment on the interpreters given, with the first one in charge.

    ``named``: the experiment's name is the first word after ``--``.
    """
    chosen = [word for python in pythons for word in ("--interpreter", python)]
    script = f"experiments/{experiment}/run.py"
    arguments = posargs(session)[named:]
    session.run(pythons[0], script, *chosen, *arguments, env=clean())


def every_python(session: nox.Session, among: "Iterable[Interpreter]" = EVERY) -> "list[str]":
    """Return the python of each interpreter that can be had.

    One that is for measuring only takes part where it is there already: a bench compiles nothing.
    """
    pythons = []
    for interpreter in among:
        name = interpreter.name
        try:
            there = ensure.already(interpreter) if interpreter.twin else ensure.ensure(interpreter)
        except InterpreterError as error:
            if interpreter.required:
                session.error(str(error))
            session.log(f"without CPython {name}: {error}")
            continue
        if there is None:
            session.log(
                f"without CPython {name} of {interpreter.twin}'s release; make it once, in about "
                f"4 minutes: ./noxw -s interpreters -- {name}"
            )
            continue
        pythons.append(python_for(session, interpreter, BASE))
    return pythons


def require_ffmpeg(session: nox.Session) -> None:
    """Fail the session where FFmpeg's shared libraries are not installed."""
    if ctypes.util.find_library("avcodec") is None:
        session.error(
            "FFmpeg's shared libraries are missing; install them (Debian, Ubuntu): "
            "apt-get install ffmpeg"
        )


@session("tests", "Run the test suite on every interpreter: tests-3.12, tests-3.13t, tests-3.14t.")
def tests(session: nox.Session) -> None:
    """Queue the sessions of all interpreters; each reports for itself."""
    for interpreter in TESTED:
        session.notify(f"tests-{interpreter.name}")


for _interpreter in INTERPRETERS.values():
    per_interpreter(_interpreter)


@session("bench", "Measure how threads scale, all interpreters and GIL modes side by side.")
def bench(session: nox.Session) -> None:
    """Run the arms of all interpreters in one interleaved experiment; -- --check for regressions.

    -- --check measures an earlier commit beside the working tree and fails where that was faster.
    """
    pythons = every_python(session)
    if "--check" in session.posargs:
        chosen = [word for python in pythons for word in ("--interpreter", python)]
        session.run(pythons[0], "-m", "ftloader.lab.guard", *chosen, *posargs(session), env=clean())
        return
    run_bench(session, pythons)


@session("bench-engine", "Measure what the engine costs, beside SPDL and the bare parts, all arms.")
def bench_engine(session: nox.Session) -> None:
    """Ten blocks; -- --quick for a smoke run."""
    run_bench(session, every_python(session), "engine_overhead")


@session("bench-more", "Measure what one of these shows: " + ", ".join(MORE_EXPERIMENTS) + ".")
def bench_more(session: nox.Session) -> None:
    """Ten blocks: -- NAME, and --quick behind it for a smoke run."""
    name = session.posargs[0] if session.posargs else "none"
    if name not in MORE_EXPERIMENTS:
        session.error(f"give one of {', '.join(MORE_EXPERIMENTS)} after --, not {name}")
    run_bench(session, every_python(session), name, named=True)


@session(
    "oracle",
    "Compare decoding, masks and transforms with mmdet, torchvision and pycocotools (4.6 GB once).",
)
def oracle(session: nox.Session) -> None:
    """-- --real-data PATH adds real images; -- --write-golden writes tests/golden anew."""
    python = python_for(session, MAIN, ORACLE)
    # mmdet imports albumentations, which would ask the network for a newer version of itself.
    env = clean(NO_ALBUMENTATIONS_UPDATE="1")
    # Thousands of comparisons in one test: slower than the suite's limits allow for.
    limits = ("--timeout=1800", "-o", "faulthandler_timeout=1700")
    session.run(python, "-m", "pytest", "tests/oracle", *limits, *posargs(session), env=env)


@session(
    "bench-transforms",
    "Measure what transforms and recipes cost, beside mmdet, torchvision and albumentations.",
)
def bench_transforms(session: nox.Session) -> None:
    """Ten blocks, peers on 3.12 alone; -- --quick for a smoke run, -- tests/bench for a table."""
    with_peers = python_for(session, MAIN, ORACLE)
    if any(argument.startswith("tests") for argument in session.posargs):
        session.run(with_peers, "-m", "pytest", *posargs(session), env=clean())
        return
    main, *others = every_python(session)
    chosen = [word for python in (with_peers, *others) for word in ("--interpreter", python)]
    # The one in charge has matplotlib, the one with the peers need not.
    script = "experiments/transforms/run.py"
    session.run(main, script, *chosen, *posargs(session), env=clean())


@session(
    "bench-peers",
    "Measure loaders on the same work: ours, torch, torchdata, SPDL, bare pools (4.6 GB once).",
)
def bench_peers(session: nox.Session) -> None:
    """Ten blocks take hours; -- --blocks N for fewer, --cells NAME,NAME for a part of it."""
    pythons = [python_for(session, INTERPRETERS[name], TORCH) for name in ("3.12", "3.13t")]
    run_bench(session, pythons, "peers")


@session(
    "thread-safety",
    "Audit transforms, ours and those of mmcv, mmdet, torchvision, albumentations (4.6 GB once).",
)
def thread_safety(session: nox.Session) -> None:
    """On 3.12 and 3.13t, GIL on and off; mmdet and albumentations on 3.12; -- --quick to try it."""
    pythons = [python_for(session, INTERPRETERS[name], LIBRARIES[name]) for name in LIBRARIES]
    # mmdet refuses mmcv 2.2, so it comes with the references' versions.
    with_mmdet = python_for(session, MAIN, ORACLE)
    chosen = [word for python in pythons for word in ("--interpreter", python)]
    script = "experiments/thread_safety/run.py"
    env = clean(NO_ALBUMENTATIONS_UPDATE="1")
    arguments = (*chosen, "--with-mmdet", with_mmdet, *posargs(session))
    session.run(pythons[0], script, *arguments, env=env)


@session(
    "dynamic-batching",
    "Batch by memory, beside what others do: planned, and trained on for real (4.6 GB once).",
)
def dynamic_batching(session: nox.Session) -> None:
    """On 3.12; -- --data SIZES for real sizes, -- --planned without torch, -- --quick to try it."""
    needs_torch = not {"--planned", "--report"} & set(session.posargs)
    python = python_for(session, MAIN, TORCH if needs_torch else BASE)
    script = "experiments/dynamic_batching/run.py"
    session.run(python, script, *posargs(session), env=clean())


@session("soak", "End runs in every way, 1,000 times on each interpreter (long).")
def soak(session: nox.Session) -> None:
    """Each way a number of times in processes of its own; -- --repeat N for another number."""
    for python in every_python(session, TESTED):
        session.run(python, "tests/soak/soak.py", *posargs(session), env=clean())


@session("soak-loader", "Read 10,000 batches from loaders in rough weather, on each interpreter.")
def soak_loader(session: nox.Session) -> None:
    """Failing and slow samples, kept batches, broken-off epochs; -- --batches N for more."""
    for python in every_python(session, TESTED):
        session.run(python, "tests/soak/loader.py", *posargs(session), env=clean())


@session("bundle", "Pack experiments for a machine without network or compiler (docs/offline.md).")
def bundle(session: nox.Session) -> None:
    """-- --interpreters 3.12,3.13t --experiments scaling chooses; archives go to dist."""
    arguments = posargs(session)
    session.run(sys.executable, "tools/bundle", *arguments, external=True, env=clean())


@session("report", "Write the report site and experiments/REPORT.md; -- RESULTS for one report.")
def report(session: nox.Session) -> None:
    """Needs no new measurement; -- --compare A B puts two result sets beside each other."""
    python = python_for(session, MAIN, BASE)
    asked = posargs(session) or ["--site"]
    session.run(python, "-m", "ftloader", "report", *asked, env=clean())


@session("lint", "Check style, format, the workflows' schema and the shell wrapper.")
def lint(session: nox.Session) -> None:
    """Change nothing, ask no network."""
    python = python_for(session, MAIN, CHECKS)
    session.run(python, "-m", "ruff", "check", ".", env=clean())
    session.run(python, "-m", "ruff", "format", "--check", ".", env=clean())
    schema = ("--builtin-schema", "vendor.github-workflows")
    session.run(python, "-m", "check_jsonschema", *schema, *WORKFLOWS, env=clean())
    for script in ("noxw", "tools/bundle/run.sh"):
        session.run("sh", "-n", script, external=True)
    session.run("bash", "-n", ".ci/run", external=True)


@session("types", "Check the types of the package with mypy --strict.")
def types(session: nox.Session) -> None:
    """Settings are in pyproject.toml."""
    python = python_for(session, MAIN, CHECKS)
    session.run(python, "-m", "mypy", *posargs(session), env=clean())


@session("interpreters", "Find or make every interpreter and show where each is.")
def interpreters(session: nox.Session) -> None:
    """A missing optional one is shown; a missing required one, or one named after --, fails."""
    try:
        asked = [get(name) for name in session.posargs]
    except InterpreterError as error:
        session.error(str(error))
    failed = []
    for interpreter in dict.fromkeys([*TESTED, *asked]):
        try:
            ensure.ensure(interpreter)
        except InterpreterError as error:
            session.log(str(error))
            failed += [interpreter.name] if interpreter.required or interpreter in asked else []
    print(cli.table())
    if failed:
        session.error(f"cannot be had: {', '.join(failed)}")


@session("constraints", "Write the constraints files anew, with the newest versions that fit.")
def constraints(session: nox.Session) -> None:
    """For maintainers; the files are committed."""
    session.run(sys.executable, "tools/update_constraints.py", external=True, env=clean())
