"""``python -m ftloader plan``, run as its user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ftloader
from ftloader.batching import DeviceBytes
from ftloader.batching.model_files import STANDARD_MODELS, Provenance, save_model
from ftloader.cli import main as cli
from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
from ftloader.detection.transforms.recipes import RECIPES
from ftloader.planreport.command import main, make_report
from ftloader.planreport.options import POLICIES, parse
from ftloader.planreport.report import SCHEMA

from .made import SIZES, write_csv


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan") / "data"
    return write_synthetic_coco(SyntheticSpec(images=24, seed=3), folder, progress=False)


def run(
    folder: Path, *arguments: str, code: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    source = str(Path(ftloader.__file__).parents[1])
    program = ["-c", code] if code else ["-m", "ftloader", "plan"]
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=110,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": source, "PYTHONIOENCODING": encoding, "COLUMNS": "80"},
    )


def test_text_plot_and_json_of_a_folder(data: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "--data", str(data), "--recipe", "multi-scale-480-800", "--ranks", "2",
        "--batches-per-step", "4", "--batch-size", "2", "--compare", "--json", "p.json",
        "--plot", "p.png")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("An epoch takes ")
    assert "no batch is over the budget" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.splitlines()[-2:] == ["figures: p.json", "plot: p.png"]
    found = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert (found["schema"], found["version"]) == SCHEMA
    assert list(found) == ["schema", "version", "data", "split", "recipe", "seed", "epoch",
        "policy", "budget", "digest", "figures", "oversized", "compared"]  # fmt: skip
    assert found["figures"]["served"]["images"] == 24
    assert found["figures"]["over_budget"] == 0
    assert [world["ranks"] for world in found["figures"]["worlds"]] == [1, 2, 4]
    names = found["figures"]["costliest"]["names"]
    assert all(name.endswith(".jpg") for name in names)
    assert len(names) == found["figures"]["costliest"]["images"]
    assert [one["policy"] for one in found["compared"]] == [*POLICIES[1:], "budget"]
    assert found["compared"][-1]["figures"] == found["figures"]
    with Image.open(tmp_path / "p.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 600


def test_the_json_has_what_the_plan_has(tmp_path: Path) -> None:
    data, out = write_csv(tmp_path / "sizes.csv"), tmp_path / "p.json"
    arguments = ["--data", str(data), "--budget", "700kpx", "--oversize", "downscale"]
    assert main([*arguments, "--json", str(out)]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    plan = make_report(parse(arguments)).plan
    assert found["digest"] == plan.digest()
    assert found["figures"]["steps"] == len(plan)
    assert found["budget"] == {
        "amount": 700_000.0,
        "unit": "pixels",
        "origin": "as asked",
        "counts": "padded pixels",
        "cost_model": "PaddedPixels()",
    }
    (large,) = found["oversized"]
    assert (large["name"], large["sample"], large["size"]) == ("image 111", 11, [1280, 960])
    assert large["planned"][0] * large["planned"][1] <= 700_000
    assert found["compared"] == []


def test_without_a_budget_it_is_what_two_aspect_groups_need(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "sizes.csv", SIZES[:8])
    made = make_report(
        parse(["--data", str(data), "--batch-size", "4", "--ranks", "1", "--compare"])
    )
    assert made.budget.amount == 4 * 640 * 480
    assert made.budget.origin == "what two aspect groups of 4 images need at their peak"
    detectron2 = {one.policy: one.figures for one in made.compared}["detectron2"]
    assert detectron2 is not None
    assert detectron2.cost.max == made.budget.amount


def test_the_costliest_image_always_fits_the_budget_that_is_not_given(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "sizes.csv", [(64, 32)] * 4 + [(4096, 4096)])
    made = make_report(parse(["--data", str(data), "--batch-size", "4"]))
    assert made.budget.amount == 4096 * 4096
    assert made.budget.origin == "what the costliest image needs by itself"
    assert made.figures.over_budget == 0


def test_a_cost_model_of_ones_own_counts_bytes(tmp_path: Path) -> None:
    model = DeviceBytes(fixed=1e9, pixels=500, boxes=1e4)
    known = Provenance(name="mine", device="cpu", observations=9, worst_error=0.025)
    save_model(tmp_path / "mine.json", model, known)
    data = str(write_csv(tmp_path / "sizes.csv"))
    done = run(tmp_path, "--data", data, "--cost", "mine.json", "--budget", "1.7GiB")
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert "no batch is over the budget of 1.70 GiB" in text
    told = "by mine.json (mine, measured on cpu, wrong by up to 2.5 % there)"
    assert f"memory of a training step, {told} peak" in text


@pytest.mark.parametrize("name", STANDARD_MODELS)
def test_the_models_that_come_along_are_for_a_first_plan(tmp_path: Path, name: str) -> None:
    data = write_csv(tmp_path / "sizes.csv")
    made = make_report(parse(["--data", str(data), "--cost", name, "--ranks", "1"]))
    assert made.budget.model.unit == "bytes"
    assert made.budget.counts.endswith(
        "for a first plan only, calibrate your own step to rely on it"
    )
    assert made.figures.over_budget == 0


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_standard_recipe_can_be_planned(
    data: Path, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(data), "--recipe", recipe, "--batch-size", "2"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert f"recipe {recipe}" in said.out


@pytest.mark.parametrize("option", ["--seed", "--epoch"])
def test_seed_and_epoch_change_the_plan_and_nothing_else_does(tmp_path: Path, option: str) -> None:
    arguments = ["--data", str(write_csv(tmp_path / "sizes.csv")), "--multi-scale", "100:300,500"]
    first, again = (make_report(parse(arguments)) for _ in "ab")
    other = make_report(parse([*arguments, option, "1"]))
    assert first.plan.digest() == again.plan.digest() != other.plan.digest()
    assert first.figures == again.figures


def arguments_that_are_no_good() -> list[Any]:
    csv = ["--data", "ok.csv"]
    return [
        ([], "required: --data"),
        (["--data", "absent"], "no file or folder 'absent'"),
        (["--data", "empty"], "not a COCO folder"),
        (["--data", "none.csv"], "none.csv has no images"),
        (["--data", "DATA", "--split", "val"], "has no split 'val'"),
        ([*csv, "--split", "val"], "--split goes with a COCO folder"),
        ([*csv, "--recipe", "nope"], "plan: there is no recipe 'nope'; choose one of faster-rcnn"),
        ([*csv, "--recipe", "ssd-300"], "looks at objects, which ok.csv does not have"),
        ([*csv, "--recipe", "absent:x"], "plan: recipe 'absent:x' cannot be had"),
        ([*csv, "--recipe", "ssd-300", "--resize", "9x9"], "not allowed with"),
        ([*csv, "--resize", "1333"], "not a width and a height, such as 1333x800"),
        ([*csv, "--resize", "1333x0"], "0 is not between 1 and"),
        ([*csv, "--multi-scale", "480:800"], "such as 480:800:32,1333"),
        ([*csv, "--multi-scale", "800:480:32,1333"], "'800:480:32' run backwards"),
        ([*csv, "--multi-scale", "480:800:0,1333"], "0 is not between 1 and"),
        ([*csv, "--policy", "best"], "invalid choice: 'best'"),
        ([*csv, "--budget", "lots"], "not 'lots'"),
        ([*csv, "--budget", "0Mpx"], "nothing fits into 0 pixels"),
        ([*csv, "--budget", "6GiB"], "--budget 6GiB is in bytes, but --cost pixels counts pixels"),
        ([*csv, "--cost", "host", "--budget", "8Mpx"], "in pixels, but --cost host counts bytes"),
        ([*csv, "--cost", "best"], "no cost model 'best'; choose one of pixels, host"),
        ([*csv, "--cost", "absent.json"], "'absent.json' cannot be read"),
        ([*csv, "--cost", "free.json"], "nothing costs anything; give a --budget"),
        ([*csv, "--budget", "1Mpx"], "image 111 (1280 x 960, 0 boxes) costs 1.23 Mpx by itself"),
        ([*csv, "--budget", "1px", "--oversize", "skip"], "every image is over the budget"),
        ([*csv, "--budget", "1px", "--oversize", "downscale"], "at any size"),
        ([*csv, "--ranks", "8", "--batches-per-step", "4"], "8 ranks cannot share a step of 4"),
        ([*csv, "--ranks", "0"], "0 is not between 1 and"),
        ([*csv, "--tail", "drop", "--ranks", "99"], "12 images make no whole step of 99 batches"),
        ([*csv, "--policy", "detectron2", "--batch-size", "9"], "12 images make no batch of 9"),
        ([*csv, "--batch-size", "x"], "'x' is not a whole number"),
        ([*csv, "--seed", "-1"], "--seed"),
        ([*csv, "--epoch", str(2**64)], "--epoch"),
        ([*csv, "--json", "absent/p.json"], "there is no folder 'absent'"),
        ([*csv, "--json", "empty"], "'empty' is a folder"),
        ([*csv, "--plot", "absent/p.png"], "there is no folder 'absent'"),
        ([*csv, "--plot", "p.jpg"], "draws .png and .svg files, not 'p.jpg'"),
    ]


@pytest.mark.parametrize(("arguments", "text"), arguments_that_are_no_good())
def test_bad_input_is_one_clear_line_and_exit_code_2(
    data: Path,
    tmp_path: Path,
    arguments: list[str],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(Path("ok.csv"))
    write_csv(Path("none.csv"), [])
    Path("empty").mkdir()
    save_model(Path("free.json"), DeviceBytes())
    before = sorted(tmp_path.iterdir())
    assert cli(["plan", *[str(data) if word == "DATA" else word for word in arguments]]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("ftloader: ")
    assert text in line
    assert said.out == ""
    assert sorted(tmp_path.iterdir()) == before


def test_without_matplotlib_only_the_plot_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; "
        "from ftloader.cli import main; sys.exit(main(['plan', *sys.argv[1:]]))"
    )
    data = str(write_csv(tmp_path / "sizes.csv"))
    assert run(tmp_path, "--data", data, code=code).returncode == 0
    done = run(tmp_path, "--data", data, "--plot", "p.png", code=code)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "--plot needs matplotlib, which pip install 'ftloader[report]' adds" in line


def test_a_terminal_without_bars_gets_the_text_all_the_same(tmp_path: Path) -> None:
    data = str(write_csv(tmp_path / "sizes.csv"))
    done = run(tmp_path, "--data", data, encoding="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("An epoch takes")
    assert done.stdout.isascii()


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    data = str(write_csv(tmp_path / "sizes.csv"))
    code = (
        "import os, sys; from ftloader.cli import main; "
        "reading, writing = os.pipe(); os.close(reading); os.dup2(writing, 1); "
        "sys.exit(main(['plan', *sys.argv[1:]]))"
    )
    done = run(tmp_path, "--data", data, "--json", "p.json", code=code)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))["version"] == SCHEMA[1]


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for option in ("data", "split", "recipe", "resize", "multi-scale", "policy", "budget", "cost",
                   "batch-size", "max-images", "stride", "tail", "oversize", "ranks",
                   "batches-per-step", "seed", "epoch", "compare", "json", "plot"):  # fmt: skip
        assert f"--{option} " in text or f"--{option}\n" in text


@pytest.mark.real_data
def test_real_data_can_be_planned(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", str(real_data), "--split", "val2017", "--multi-scale", "480:800:32,1333"]
    assert main([*arguments, "--compare"]) == 0
    assert "no batch is over the budget" in " ".join(capsys.readouterr().out.split())
