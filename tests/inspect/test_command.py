"""``python -m ftloader inspect``, run as its user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ftloader
from ftloader.cli import main as cli
from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
from ftloader.detection.transforms.recipes import RECIPES
from ftloader.inspect.command import SCHEMA, main
from ftloader.inspect.options import parse

OWN = """
from ftloader.detection.transforms import RandomFlip
flip = RandomFlip(vertical=1.0, horizontal=0.0)
def build(dataset): return flip
number = 3
def broken(dataset): return 1 / 0
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspect") / "data"
    return write_synthetic_coco(SyntheticSpec(images=4, seed=3), folder, progress=False)


def run(folder: Path, *arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    source = str(Path(ftloader.__file__).parents[1])
    program = ["-c", code] if code else ["-m", "ftloader", "inspect"]
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=110,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": source, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"},
    )


def test_text_sheet_plots_and_json(data: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "--data", str(data), "--recipe", "lsj-1024", "--samples", "2", "--json",
        "figures.json", "--out", "look")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("data: 4 images, ")
    assert "After lsj-1024: 4 samples planned at seed 0, epoch 0" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.splitlines()[-3:] == [
        f"sheet: {Path('look/sheet-lsj-1024.png')}",
        f"plots: {Path('look/statistics.png')}",
        "figures: figures.json",
    ]
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert (figures["schema"], figures["version"]) == SCHEMA
    assert list(figures) == ["schema", "version", "data", "split", "statistics", "problems",
        "recipe", "samples"]  # fmt: skip
    assert figures["recipe"]["planned"] == figures["statistics"]["images"]["count"] == 4
    assert [one["index"] for one in figures["samples"]] == [0, 3]
    drawn = figures["samples"][0]["drawn"]
    assert any("RandomResize: width=" in line for line in drawn)
    assert [line.split()[0] for line in drawn] == [str(n + 1) for n in range(len(drawn))]
    for name in ("sheet-lsj-1024.png", "statistics.png"):
        with Image.open(tmp_path / "look" / name) as image:
            assert min(image.size) > 300


def test_the_command_in_the_footer_draws_the_same_sheet(data: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    arguments = ["--data", str(data), "--recipe", "ssd-300", "--seed", "7", "--epoch", "2"]
    assert main([*arguments, "--samples", "2", "--out", str(first)]) == 0
    again = parse([*arguments, "--samples", "2"]).again([0, 3])
    assert again.startswith("python -m ftloader inspect --data ")
    assert main([*again.split()[4:], "--out", str(second)]) == 0
    with Image.open(first) as a, Image.open(second) as b:
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_a_png_file_is_the_sheet_alone(data: Path, tmp_path: Path) -> None:
    assert main(["--data", str(data), "--indices", "1", "--out", str(tmp_path / "one.png")]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_standard_recipe_can_be_looked_at(
    data: Path, tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "sheet.png")
    assert main(["--data", str(data), "--recipe", recipe, "--indices", "2", "--out", out]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert f"After {recipe}" in said.out


@pytest.mark.parametrize("name", ["own:flip", "own:build"])
def test_a_recipe_of_the_users_own(data: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    done = run(tmp_path, "--data", str(data), "--recipe", name, "--indices", "0", "--no-plots",
        "--json", "f.json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert figures["samples"][0]["drawn"] == ["1 RandomFlip: direction=vertical"]
    assert [path.name for path in (tmp_path / "inspect").iterdir()] == [
        f"sheet-{name.replace(':', '-')}.png"
    ]


def test_without_matplotlib_everything_else_works(data: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; "
        "from ftloader.cli import main; sys.exit(main(['inspect', *sys.argv[1:]]))"
    )
    done = run(tmp_path, "--data", str(data), "--samples", "1", code=code)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("ftloader: inspect: no plots without matplotlib")
    assert "ftloader[report]" in line
    assert [path.name for path in (tmp_path / "inspect").iterdir()] == ["sheet.png"]


def test_an_image_that_cannot_be_read_is_told_and_the_rest_is_shown(tmp_path: Path) -> None:
    folder = write_synthetic_coco(SyntheticSpec(images=2), tmp_path / "data", progress=False)
    next(folder.glob("*/*.jpg")).write_bytes(b"no image")
    done = run(tmp_path, "--data", "data", "--no-plots")
    assert done.returncode == 0
    assert "cannot decode" in done.stderr
    assert (tmp_path / "inspect" / "sheet.png").is_file()


def test_an_index_given_again_is_drawn_for_the_next_epoch() -> None:
    options = parse(["--data", "d", "--indices", "3,1-2,3,3", "--epoch", "5"])
    assert options.picks(4) == [(3, 5), (1, 5), (2, 5), (3, 6), (3, 7)]


def test_without_indices_samples_are_spread_over_the_data_set() -> None:
    assert [i for i, _ in parse(["--data", "d", "--samples", "3"]).picks(101)] == [0, 50, 100]
    assert [i for i, _ in parse(["--data", "d", "--samples", "1"]).picks(101)] == [0]
    assert [i for i, _ in parse(["--data", "d"]).picks(2)] == [0, 1]
    assert parse(["--data", "d"]).picks(0) == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "required: --data"),
        (["--data", "absent"], "absent is not a folder"),
        (["--data", "DATA", "--split", "val"], "has no split 'val'; it has 'synthetic'"),
        (["--data", "DATA", "--recipe", "nope"], "no recipe 'nope'; choose one of faster-rcnn"),
        (["--data", "DATA", "--indices", "0,4"], "no image 4: the data set has 4 images, 0 to 3"),
        (["--data", "DATA", "--indices", "1,x"], "'x' is neither an index nor a range"),
        (["--data", "DATA", "--indices", "2-1"], "the range '2-1' runs backwards"),
        (["--data", "DATA", "--indices", "0-999"], "at most 120 samples"),
        (["--data", "DATA", "--indices", "1", "--samples", "2"], "not allowed with"),
        (["--data", "DATA", "--samples", "121"], "0 to 120 samples, not 121"),
        (["--data", "DATA", "--seed", "-1"], "--seed"),
        (["--data", "DATA", "--epoch", "x"], "--epoch"),
        (["--data", "DATA", "--json", "absent/f.json"], "there is no folder 'absent'"),
        (["--data", "DATA", "--out", "absent/f.png"], "there is no folder 'absent'"),
        (["--data", "DATA", "--out", "a-file"], "neither a folder nor a .png file"),
        (["--data", "DATA", "--font", "a-file"], "font 'a-file'"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    data: Path,
    tmp_path: Path,
    arguments: list[str],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a-file").write_text("neither font nor folder", encoding="utf-8")
    assert cli(["inspect", *[str(data) if word == "DATA" else word for word in arguments]]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("ftloader: ")
    assert text in line
    assert said.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["a-file"]


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        ("absent:x", "No module named 'absent'"),
        ("own:absent", "has no attribute 'absent'"),
        ("own:number", "is int, not a transform"),
        ("own:broken", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_recipe_that_cannot_be_had_is_one_line_too(
    data: Path, tmp_path: Path, recipe: str, text: str
) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    done = run(tmp_path, "--data", str(data), "--recipe", recipe)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ftloader: inspect: recipe ")
    assert text in line


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for option in ("data", "split", "recipe", "seed", "epoch", "samples", "indices", "out", "json",
                   "no-plots", "font"):  # fmt: skip
        assert f"--{option}" in text


@pytest.mark.real_data
@pytest.mark.parametrize("recipe", ["", "lsj-1024", "yolox-640"])
def test_real_data_can_be_looked_at(real_data: Path, tmp_path: Path, recipe: str) -> None:
    arguments = ["--data", str(real_data), "--split", "val2017", "--samples", "3"]
    arguments += ["--recipe", recipe] if recipe else []
    assert main([*arguments, "--out", str(tmp_path / "look")]) == 0
    assert len(list((tmp_path / "look").iterdir())) == 2
