"""Packs one interpreter with its packages and the project into one archive."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Tuple

from . import archive, elf, interpreter, libraries, needs, project, verify, wheels
from .errors import BundleError
from .project import Snapshot

# What an archive may weigh: it is carried by hand, or through a proxy with a limit.
LIMIT_BYTES = 60_000_000
TOP = "ftloader-bundle"
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Wanted:
    """What to pack.

    Attributes:
        name: the interpreter's short name, such as ``"3.13t"``.
        python: its path.
        project: what it runs.
        pins: the file that names every package's version.
        out: folder for the archive.
        uv: uv's path.
    """

    name: str
    python: str
    project: Snapshot
    pins: Path
    out: Path
    uv: str


@dataclass(frozen=True)
class Packed:
    """What was packed.

    Attributes:
        archive: where it lies.
        bytes: its size.
        unpacked: bytes of everything in it.
        glibc: the oldest glibc that it runs on, such as ``"2.35"``.
        report: whether it can draw reports.
        libraries: names of the shared libraries that were brought along.
        fetched: whether anything may have been downloaded.
        stripped: whether symbols for debuggers were removed.
    """

    archive: Path
    bytes: int
    unpacked: int
    glibc: str
    report: bool
    libraries: Tuple[str, ...]
    fetched: bool
    stripped: bool


def pack(wanted: Wanted) -> Packed:
    """Pack one interpreter; with what draws reports where that fits, else without.

    Raises:
        BundleError: it cannot be packed, or is larger than :data:`LIMIT_BYTES` in any case.
    """
    packed = _pack(wanted, report=True)
    if packed.bytes > LIMIT_BYTES:
        packed = _pack(wanted, report=False)
    if packed.bytes > LIMIT_BYTES:
        packed.archive.unlink()
        raise BundleError(
            f"{packed.archive.name} would be {packed.bytes / 1e6:.1f} MB, more than "
            f"{LIMIT_BYTES / 1e6:.0f} MB: choose fewer experiments"
        )
    return packed


def _pack(wanted: Wanted, report: bool) -> Packed:
    with tempfile.TemporaryDirectory(prefix="ftloader-pack-") as scratch:
        bundle = Path(scratch) / "made" / TOP
        own = bundle / "interpreters" / wanted.name
        program = interpreter.copy(interpreter.ask(wanted.python), own)
        brought = libraries.bring(own)
        ours = elf.files_below(own)
        stripped = libraries.strip(ours)
        libraries.point_inside(own, ours)
        packages = needs.packages(wanted.project.experiments, report)
        target = interpreter.site_packages(program)
        fetched = wheels.install(wanted.uv, wanted.python, target, wanted.pins, packages)
        brought = sorted({*brought, *libraries.bring(own)})
        shutil.copytree(wanted.project.folder, bundle / "project")
        project.make_importable(bundle / "project", target)
        glibc = _write_facts(own, wanted, program, report)
        _write_texts(bundle)
        _try(bundle, Path(scratch) / "moved", wanted.name, program.name, report)
        path = wanted.out / f"ftloader-offline-{wanted.name}-x86_64.tar.xz"
        size = archive.write(bundle, path)
        return Packed(
            archive=path,
            bytes=size,
            unpacked=sum(one.stat().st_size for one in bundle.rglob("*") if one.is_file()),
            glibc=glibc,
            report=report,
            libraries=tuple(brought),
            fetched=fetched,
            stripped=stripped,
        )


def _write_facts(own: Path, wanted: Wanted, program: Path, report: bool) -> str:
    """Write what the launcher reads, one ``key=value`` per line; return the glibc needed."""
    files = elf.files_below(own)
    spare = [path for path in files if path.parent.name == libraries.SPARE_FOLDER]
    glibc, with_spare = (
        ".".join(map(str, libraries.glibc(some)))
        for some in ([path for path in files if path not in spare], files)
    )
    facts = {
        "program": f"bin/{program.name}",
        "glibc": glibc,
        "glibc_with_spare": with_spare,
        "state": wanted.project.state,
        "report": "yes" if report else "no",
    }
    lines = "".join(f"{key}={value}\n" for key, value in facts.items())
    (own / "facts").write_text(lines, encoding="ascii")
    return glibc


def _write_texts(bundle: Path) -> None:
    shutil.copy(HERE / "run.sh", bundle / "run")
    (bundle / "run").chmod(0o755)
    shutil.copy(HERE / "README.txt", bundle / "README.txt")
    (bundle / "results").mkdir()


def _try(bundle: Path, elsewhere: Path, name: str, program: str, report: bool) -> None:
    """Run the packed interpreter from another folder, and put the bundle back."""
    bundle.parent.rename(elsewhere)
    modules: List[str] = ["numpy", "PIL.Image", "ftloader.lab"]
    modules += ["matplotlib.figure", "jinja2"] if report else []
    moved = elsewhere / TOP
    try:
        verify.stands_alone(moved, moved / "interpreters" / name / "bin" / program, modules)
    finally:
        for cache in list(moved.rglob("__pycache__")):
            shutil.rmtree(cache)
        elsewhere.rename(bundle.parent)


def summary(packed: Sequence[Packed]) -> str:
    """Return a table of what was packed."""
    head = ("archive", "packed", "unpacked", "glibc", "reports")
    rows = [head, *map(_row, packed)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(row[column].ljust(widths[column]) for column in range(len(row))).rstrip()
        for row in rows
    )


def _row(one: Packed) -> Tuple[str, ...]:
    return (
        str(one.archive),
        f"{one.bytes / 1e6:.1f} MB",
        f"{one.unpacked / 1e6:.0f} MB",
        f"{one.glibc} or newer",
        "yes" if one.report else "no",
    )
