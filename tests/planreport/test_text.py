from __future__ import annotations

from pathlib import Path

import pytest

from ftloader.inspect.layout import Style
from ftloader.planreport.command import make_report
from ftloader.planreport.options import parse
from ftloader.planreport.report import Report
from ftloader.planreport.text import as_text
from ftloader.planreport.units import in_bytes, in_pixels

from .made import write_csv

# By hand: 3,916,800 real pixels of twelve images, in batches of 5 x 640 x 480, 5 x 480 x 640,
# 1280 x 960 and 320 x 256 padded pixels, together 4,382,720.
WHOLE = """\
An epoch takes 2 steps of 2 batches with 3.0 images each on average; 11 % of the
pixels are padding; no batch is over the budget of 1.60 Mpx.

data    sizes.csv, sizes as they are; seed 0, epoch 0
policy  memory budget, at most 32 images in a batch, sides padded to multiples
        of 32
budget  1.60 Mpx per batch, as asked
cost    padded pixels
peak    1.54 Mpx, 96 % of the budget; 4.4 MiB of host memory as uint8
shapes  4 padded shapes, 4 counting the number of images too
"""


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("text") / "sizes.csv")


def report(csv: Path, *arguments: str) -> Report:
    return make_report(parse(["--data", str(csv), "--ranks", "2", *arguments]))


def test_a_small_plan_in_full(csv: Path) -> None:
    text = as_text(report(csv, "--budget", "1.6Mpx"), Style(80))
    assert text.startswith(WHOLE)
    for line in (
        "Images in a batch, and how many batches have so many",
        "  5  2  50 %  ████████████████████████████████████████",
        "  70-80 %   1  25 %  ████████████████████",
        "Costliest batch: 1.54 Mpx, step 0, rank 0: 5 images padded to 640 x 480",
        "image 103 (640 x 480), ",
        "… 1 more",
        "Samples: 12 in the epoch, 12 images served; each once",
        "  ranks  steps  batches  micro-batches  balance  weight 0",
    ):
        assert line in text


@pytest.mark.parametrize("width", [60, 79, 80, 95, 110])
@pytest.mark.parametrize("policy", ["budget", "fixed"])
def test_no_line_is_wider_than_the_terminal(csv: Path, width: int, policy: str) -> None:
    made = report(csv, "--budget", "1.3Mpx", "--compare", "--policy", policy, "--seed", "18446744")
    lines = as_text(made, Style(width)).splitlines()
    assert max(map(len, lines)) <= width


def test_batches_over_the_budget_are_said_first_and_stand_out(csv: Path) -> None:
    made = report(csv, "--budget", "1.3Mpx", "--policy", "fixed", "--batch-size", "4")
    over = made.figures.over_budget
    assert over > 0
    text = as_text(made, Style(110, colour=True))
    first = text.split("\n\n")[0]
    assert first.startswith("\x1b[1;31mAn epoch takes")
    assert "over the budget of 1.30 Mpx, by up to" in first.replace("\x1b[0m\n\x1b[1;31m", " ")
    assert "above" in text
    assert "\x1b" not in as_text(made, Style(110))


def test_an_excess_too_small_for_the_figures_shown_is_told_in_pixels(csv: Path) -> None:
    made = report(csv, "--budget", "1228799px", "--policy", "fixed", "--batch-size", "1")
    first = as_text(made, Style(400)).splitlines()[0]
    assert first.endswith("; 1 batch (8.3 %) is over the budget of 1.23 Mpx, by up to 1 px.")


def test_the_comparison_has_every_policy_and_drops_columns_when_narrow(csv: Path) -> None:
    made = report(csv, "--budget", "1.3Mpx", "--compare", "--batch-size", "5")
    wide = as_text(made, Style(110)).split("The policies beside each other")[1].splitlines()
    assert wide[1].split() == ["policy", "steps", "images/batch", "real", "pixels", "over",
        "budget", "balance", "shapes", "peak", "left", "out"]  # fmt: skip
    assert [line.split("  ")[1] for line in wide[2:7]] == [
        "fixed size",
        "detectron2",
        "mmdet",
        "torchvision",
        "memory budget",
    ]
    narrow = as_text(made, Style(60)).split("The policies beside each other")[1].splitlines()
    assert "left out" not in narrow[1]
    assert narrow[3].split()[0] == "detectron2"
    assert "over budget" in narrow[1]


def test_a_policy_that_makes_no_step_has_dashes(csv: Path) -> None:
    made = report(csv, "--compare", "--batch-size", "9")
    text = as_text(made, Style(110))
    (line,) = [line for line in text.splitlines() if "  detectron2" in line]
    assert line.split()[-8:] == ["0", *["–"] * 7]


def test_oversized_samples_are_listed_by_name_ten_at_most(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "sizes.csv", [(64, 64)] * 3 + [(640, 480)] * 12)
    made = report(csv, "--budget", "100kpx", "--oversize", "downscale")
    text = as_text(made, Style(110))
    assert "12 over the budget by themselves and planned smaller" in text
    assert text.count(", 640 x 480: planned at 3") == 10
    assert "… 2 more" in text
    skipped = as_text(report(csv, "--budget", "100kpx", "--oversize", "skip"), Style(80))
    assert skipped.count(", 640 x 480: left out") == 10
    assert "each once" not in skipped


def test_many_numbers_of_images_share_lines(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "sizes.csv", [(32 * n, 32) for n in range(1, 60) for _ in range(40)])
    text = as_text(report(csv, "--budget", "64kpx"), Style(80))
    block = text.split("how many batches have so many\n")[1].split("\n\n")[0].splitlines()
    assert 2 < len(block) <= 12
    made = report(csv, "--budget", "64kpx").figures
    counts = [int(line.split()[1].replace(",", "")) for line in block]
    assert sum(counts) == made.batches - made.world.fillers


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 px"), (9_999, "9,999 px"), (10_000, "0.01 Mpx"), (8_601_600, "8.60 Mpx")],
)
def test_pixels_as_text(value: float, text: str) -> None:
    assert in_pixels(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 bytes"), (1023, "1,023 bytes"), (1536, "1.5 KiB"), (25 << 20, "25.0 MiB"),
     (6 << 30, "6.00 GiB"), (6 << 40, "6,144.00 GiB")],
)  # fmt: skip
def test_bytes_as_text(value: float, text: str) -> None:
    assert in_bytes(value) == text
