"""What is packed stands on its own, says where it is from, and is carried whole or not at all.

Small trees stand for an interpreter, for packages and for the project. One test packs the real
interpreter that runs it, without packages; packing with packages is tried by the command itself,
each time (``verify.py``).
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundle import (
    archive,
    cli,
    elf,
    interpreter,
    libraries,
    needs,
    pack,
    project,
    verify,
    wheels,
)
from bundle.errors import BundleError

from ftloader.lab import provenance

from .conftest import ROOT

MODULE = Path(np.linalg._umath_linalg.__file__)
STATE = {"failed": {}, "path": [], "gil": False, "free_threaded": True}


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return root


def names(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


# --- what a file asks of the loader --------------------------------------------------------------


def test_a_module_names_its_libraries_and_a_glibc_no_newer_than_this_ones() -> None:
    found = elf.read(MODULE)
    assert found is not None
    assert "libc.so.6" in found.needed
    assert found.search.startswith("$ORIGIN/")
    here = tuple(map(int, os.confstr("CS_GNU_LIBC_VERSION").split()[1].split(".")))  # type: ignore[union-attr]
    assert found.glibc is not None
    assert (2, 0) < found.glibc <= here


def test_where_a_file_looks_is_replaced_in_place_and_nothing_else(tmp_path: Path) -> None:
    copy = Path(shutil.copy(MODULE, tmp_path / "module.so"))
    before = elf.read(copy)
    assert before is not None
    assert elf.set_search(copy, "$ORIGIN")
    assert elf.read(copy) == replace(before, search="$ORIGIN")
    old, new = MODULE.read_bytes(), copy.read_bytes()
    assert len(old) == len(new)
    differ = [at for at, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    # The end of the old text may be part of a symbol's name.
    assert before.search_at <= min(differ)
    assert max(differ) < before.search_at + len(before.search) - len("numpy.libs")


def test_a_text_without_room_for_it_is_left_alone(tmp_path: Path) -> None:
    copy = Path(shutil.copy(MODULE, tmp_path / "module.so"))
    assert not elf.set_search(copy, "$ORIGIN/" + "../" * 100)
    assert copy.read_bytes() == MODULE.read_bytes()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "half.so"
    path.write_bytes(MODULE.read_bytes()[:200])
    with pytest.raises(BundleError, match=r"half\.so is no sound ELF file"):
        elf.read(path)


def test_glibc_is_never_brought_along_and_the_compilers_library_is() -> None:
    assert all(map(libraries.is_glibc, ("libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2")))
    assert not any(map(libraries.is_glibc, ("libstdc++.so.6", "libffi.so.8", "libcrypt.so.1")))


# --- what is copied ------------------------------------------------------------------------------


def test_an_interpreter_is_copied_without_what_measuring_does_not_need(tmp_path: Path) -> None:
    here = tree(
        tmp_path / "here",
        "bin/python3.99",
        "lib/libpython3.99.a",
        "lib/python3.99/os.py",
        "lib/python3.99/json/__init__.py",
        "lib/python3.99/json/__pycache__/x.pyc",
        "lib/python3.99/test/test_os.py",
        "lib/python3.99/idlelib/idle.py",
        "lib/python3.99/config-3.99/libpython3.99.a",
        "lib/python3.99/site-packages/other/__init__.py",
        "lib/python3.99/lib-dynload/_ctypes.so",
        "lib/python3.99/lib-dynload/_ssl.so",
        "lib/python3.99/lib-dynload/_testcapi.so",
    )
    settings = here / "lib/python3.99/_sysconfigdata__linux.py"
    settings.write_text(f"build_time_vars = {{'prefix': '{here}'}}\n")
    library = here / "lib/python3.99"
    layout = interpreter.Layout(
        here / "bin/python3.99", "python3.99", here, library, library / "lib-dynload"
    )
    program = interpreter.copy(layout, tmp_path / "there")
    assert program == tmp_path / "there/bin/python3.99"
    assert names(tmp_path / "there") == {
        "bin/python3.99",
        "lib/python3.99/os.py",
        "lib/python3.99/json/__init__.py",
        "lib/python3.99/lib-dynload/_ctypes.so",
        "lib/python3.99/_sysconfigdata__linux.py",
    }
    copied = (tmp_path / "there/lib/python3.99/_sysconfigdata__linux.py").read_text()
    assert copied == "build_time_vars = {'prefix': '/python'}\n"


def test_packages_lose_tests_and_scripts_and_keep_licences(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "bin/f2py",
        "numpy/__init__.py",
        "numpy/__init__.pyi",
        "numpy/tests/test_a.py",
        "numpy/_core/include/a.h",
        "numpy/_core/lib/libnpymath.a",
        "numpy-2.dist-info/licenses/tests/LICENSE",
        "numpy-2.dist-info/METADATA",
        "numpy.libs/libopenblas.so",
    )
    wheels.trim(tmp_path)
    assert names(tmp_path) == {
        "numpy/__init__.py",
        "numpy-2.dist-info/licenses/tests/LICENSE",
        "numpy-2.dist-info/METADATA",
        "numpy.libs/libopenblas.so",
    }


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A project with two experiments and what no bundle should hold."""
    return tree(
        tmp_path / "clone",
        "src/ftloader/__init__.py",
        "src/ftloader/__pycache__/a.pyc",
        "experiments/scaling/run.py",
        "experiments/scaling/results/old/results.jsonl",
        "experiments/sharing/run.py",
        "LICENSE",
        "pyproject.toml",
        "tests/test_a.py",
    )


def test_the_project_is_copied_with_chosen_experiments_and_without_results(
    tmp_path: Path, clone: Path
) -> None:
    project.copy(clone, tmp_path / "there", ["scaling"])
    assert names(tmp_path / "there") == {
        "src/ftloader/__init__.py",
        "experiments/scaling/run.py",
        "LICENSE",
        "pyproject.toml",
        "ftloader-commit",
    }


def test_a_packed_experiment_says_which_commit_it_was_packed_from(
    tmp_path: Path, clone: Path
) -> None:
    def git(*arguments: str) -> str:
        me = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        command = ["git", *me, "-C", str(clone), *arguments]
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
        return done.stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    head = git("rev-parse", "--short=12", "HEAD")
    # Unpacked inside a repository, it still says its own.
    project.copy(clone, clone / "bundle/project", ["scaling"])
    assert provenance.commit(clone / "bundle/project/experiments/scaling") == head
    (clone / "LICENSE").write_text("changed")
    assert project.commit(clone) == f"{head}+changes"


def test_the_state_of_the_project_covers_every_experiment_and_no_result(clone: Path) -> None:
    before = project.state(clone)
    tree(clone, "experiments/scaling/results/new/results.jsonl", "src/ftloader/__pycache__/b.pyc")
    assert project.state(clone) == before
    tree(clone, "experiments/sharing/parts.py")
    assert project.state(clone) != before


def test_the_project_is_importable_wherever_the_two_are_put(tmp_path: Path) -> None:
    site = tree(tmp_path / "a/lib/site-packages", "keep").resolve()
    tree(tmp_path / "a/project/src/ftloader_packed", "__init__.py")
    project.make_importable(tmp_path / "a/project", site)
    (tmp_path / "a").rename(tmp_path / "b")
    code = "import site, sys; site.addsitedir(sys.argv[1]); import ftloader_packed"
    moved = str(tmp_path / "b/lib/site-packages")
    init = tmp_path / "b/project/src/ftloader_packed/__init__.py"
    init.write_text("", encoding="utf-8")
    subprocess.run([sys.executable, "-I", "-c", code, moved], check=True)


def test_the_interpreter_that_runs_this_runs_from_another_folder(tmp_path: Path) -> None:
    made = tmp_path / "made" / pack.TOP
    own = made / "interpreters/this"
    program = interpreter.copy(interpreter.ask(sys.executable), own)
    libraries.bring(own)
    libraries.point_inside(own, elf.files_below(own))
    made.parent.rename(tmp_path / "moved")
    moved = tmp_path / "moved" / pack.TOP
    program = moved / program.relative_to(made)
    verify.stands_alone(moved, program, ["json", "asyncio", "hashlib"])
    # Nothing in it looks for libraries where this machine keeps them.
    searched = [found.search for found in map(elf.read, elf.files_below(moved)) if found]
    assert not [search for search in searched if search.startswith("/")]


# --- what is refused -----------------------------------------------------------------------------


def test_an_experiment_that_cannot_be_packed_is_named_with_those_that_can(clone: Path) -> None:
    assert needs.chosen(clone, []) == ["scaling", "sharing"]
    with pytest.raises(BundleError, match=r"'train_detector' cannot be packed: choose scaling, sh"):
        needs.chosen(clone, ["scaling", "train_detector"])


def test_every_package_that_is_packed_is_pinned_for_every_interpreter() -> None:
    wanted = needs.packages(tuple(needs.EXPERIMENTS), report=True)
    for path in (ROOT / "constraints").glob("3.*.txt"):
        pinned = {line.partition("==")[0] for line in path.read_text().splitlines()}
        assert pinned.issuperset(wanted), path


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"mapped": ["/usr/lib/libffi.so.8"]}, "/usr/lib/libffi.so.8 is not in the bundle"),
        ({"failed": {"_ctypes": "ImportError: x"}}, "_ctypes cannot be imported (ImportError: x)"),
        ({"path": ["/elsewhere/src"]}, "it looks for modules in /elsewhere/src"),
        ({"gil": True}, "one of its modules turns the GIL on"),
        ({"mapped": ["/lib/libc.so.6"]}, None),
    ],
)
def test_what_comes_from_this_machine_is_a_problem(
    tmp_path: Path, change: dict[str, object], problem: str | None
) -> None:
    facts = {**STATE, "mapped": [f"{tmp_path.resolve()}/lib/libffi.so.8"], **change}
    assert verify.problems(facts, tmp_path) == ([] if problem is None else [problem])


def sized(size: int, path: Path) -> pack.Packed:
    path.write_bytes(b"x")
    return pack.Packed(path, size, size, "2.28", True, (), False, True)


def test_an_archive_that_is_too_large_is_packed_without_reports_and_then_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    sizes = {True: pack.LIMIT_BYTES + 1, False: pack.LIMIT_BYTES}

    def packed(wanted: pack.Wanted, report: bool) -> pack.Packed:
        asked.append(report)
        return sized(sizes[report], tmp_path / "a.tar.xz")

    monkeypatch.setattr(pack, "_pack", packed)
    snapshot = project.Snapshot(tmp_path, "state", ("scaling",))
    wanted = pack.Wanted("3.99", "/p", snapshot, tmp_path / "pins", tmp_path, "uv")
    assert pack.pack(wanted).bytes == pack.LIMIT_BYTES
    assert asked == [True, False]
    sizes[False] += 1
    with pytest.raises(BundleError, match=r"would be 60\.0 MB, more than 60 MB: choose fewer"):
        pack.pack(wanted)
    assert not (tmp_path / "a.tar.xz").exists()


def test_bad_arguments_end_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--experiments", "nothing"]) == 2
    assert cli.main(["--interpreters", "2.7"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["ftloader"] * 2


# --- the archive ---------------------------------------------------------------------------------


def test_an_archive_unpacks_to_what_was_packed_and_names_nobody(tmp_path: Path) -> None:
    folder = tree(tmp_path / "made/top", "run", "lib/a.py", "lib/b.so")
    (folder / "run").chmod(0o755)
    (folder / "empty").mkdir()
    size = archive.write(folder, tmp_path / "out/a.tar.xz")
    assert size == (tmp_path / "out/a.tar.xz").stat().st_size
    with tarfile.open(tmp_path / "out/a.tar.xz") as made:
        assert {(entry.uid, entry.gid, entry.uname) for entry in made} == {(0, 0, "")}
        made.extractall(tmp_path / "there", filter="tar")
    there = tmp_path / "there/top"
    assert names(there) == names(folder)
    assert (there / "empty").is_dir()
    assert stat.S_IMODE((there / "run").stat().st_mode) == 0o755


def test_an_archive_that_is_not_finished_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        raise KeyboardInterrupt

    monkeypatch.setattr(archive, "_nobodys", interrupted)
    with pytest.raises(KeyboardInterrupt):
        archive.write(tree(tmp_path / "top", "a"), tmp_path / "out/a.tar.xz")
    assert list((tmp_path / "out").iterdir()) == []
