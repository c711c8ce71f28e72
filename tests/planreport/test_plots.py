from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ftloader.planreport.command import make_report
from ftloader.planreport.options import parse
from ftloader.planreport.plots import draw_report

from .made import write_csv


@pytest.mark.parametrize(
    "arguments",
    [
        ["--budget", "2Mpx", "--multi-scale", "300:500:50,800"],
        ["--policy", "fixed", "--budget", "100px"],
        ["--policy", "mmdet", "--batch-size", "1", "--ranks", "1"],
    ],
    ids=["budget", "far over", "one image"],
)
def test_any_plan_can_be_drawn(tmp_path: Path, arguments: list[str]) -> None:
    data = write_csv(tmp_path / "costs $5 and $6.csv")
    draw_report(make_report(parse(["--data", str(data), *arguments])), tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
        assert min(image.size) > 600
    ink = (pixels < 250).any(axis=1).mean()
    assert 0.02 < ink < 0.5
    # The panels are there: bars and points in colours that no axis has.
    assert (pixels == (0x00, 0x72, 0xB2)).all(axis=1).sum() > 100


def test_batches_over_the_budget_are_orange(tmp_path: Path) -> None:
    data = str(write_csv(tmp_path / "sizes.csv"))
    orange = []
    for budget in ("1.3Mpx", "100Mpx"):
        options = parse(["--data", data, "--policy", "fixed", "--ranks", "1", "--budget", budget])
        draw_report(make_report(options), tmp_path / "plot.png")
        with Image.open(tmp_path / "plot.png") as image:
            pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
        orange.append(int((pixels == (0xD5, 0x5E, 0x00)).all(axis=1).sum()))
    assert orange[0] > 100
    assert orange[1] == 0


def test_an_svg_says_what_the_text_says(tmp_path: Path) -> None:
    data = str(write_csv(tmp_path / "sizes.csv"))
    draw_report(make_report(parse(["--data", data])), tmp_path / "plot.SVG")
    root = ElementTree.parse(tmp_path / "plot.SVG").getroot()
    assert root.tag.endswith("svg")
    assert sum(1 for _ in root.iter()) > 100


def test_the_same_plan_gives_the_same_picture(tmp_path: Path) -> None:
    options = parse(["--data", str(write_csv(tmp_path / "sizes.csv"))])
    for name in ("a.png", "b.png"):
        draw_report(make_report(options), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
