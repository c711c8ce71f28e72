"""The command line of ``python -m ftloader inspect``."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from ftloader.errors import DataError

#: Samples on a sheet: unless asked otherwise, and at most (a sheet is one picture in memory).
SAMPLES, MOST_SAMPLES = 12, 120
_FOLDER: Final = "inspect"

_EPILOG: Final = """
--recipe is the name of a standard recipe, or module:recipe for one of your own: a transform, or a
function that takes the data set and returns one. The sheet shows what training with the same
seed and epoch gets. An index that is given several times is drawn for one epoch after the other:
--indices 7,7,7,7 shows what a recipe makes of one image.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for.

    Attributes:
        data: the COCO folder, as typed.
        split: which split, empty where there is only one.
        recipe: its name, empty to look at the data as they are.
        seed: of the random streams.
        epoch: of the random streams.
        samples: how many samples to show, where no indices are given.
        indices: which samples to show; None leaves the choice to the command.
        out: a folder, or a PNG file for the sheet alone.
        json: where to write the figures, if anywhere.
        plots: whether to draw them.
        font: a TrueType file for the sheet, empty for Pillow's own font.
    """

    data: str
    split: str
    recipe: str
    seed: int
    epoch: int
    samples: int
    indices: tuple[int, ...] | None
    out: Path
    json: Path | None
    plots: bool
    font: str

    @property
    def only_sheet(self) -> bool:
        """Whether ``out`` is the sheet's file, and not a folder."""
        return self.out.suffix.lower() == ".png"

    @property
    def sheet(self) -> Path:
        """The sheet's file."""
        if self.only_sheet:
            return self.out
        kind = "".join(c if c.isalnum() or c in "-_." else "-" for c in self.recipe)
        return self.out / (f"sheet-{kind}.png" if kind else "sheet.png")

    def picks(self, count: int) -> list[tuple[int, int]]:
        """Return index and epoch of every sample to show.

        Args:
            count: how many samples the data set has.

        Raises:
            DataError: an index is out of range.
        """
        chosen = self.indices
        if chosen is None:
            wanted = min(self.samples, count)
            spread = np.linspace(0, count - 1, wanted) if wanted > 1 else np.zeros(wanted)
            chosen = tuple(int(place) for place in spread.round())
        for index in chosen:
            if not 0 <= index < count:
                has = f"{count:,} images, 0 to {count - 1}" if count else "no images"
                raise DataError(f"inspect: there is no image {index}: the data set has {has}")
        seen: Counter[int] = Counter()
        picks = []
        for index in chosen:
            picks.append((index, self.epoch + seen[index]))
            seen[index] += 1
        return picks

    def again(self, indices: Sequence[int]) -> str:
        """Return the command that draws the same sheet, of these indices."""
        words = ["python", "-m", "ftloader", "inspect", "--data", self.data]
        for name in ("split", "recipe", "font"):
            if value := getattr(self, name):
                words += [f"--{name}", value]
        if self.recipe:
            words += ["--seed", str(self.seed), "--epoch", str(self.epoch)]
        return shlex.join([*words, "--indices", ",".join(map(str, indices))])


class _Parser(argparse.ArgumentParser):
    """Raises on bad arguments, where argparse prints the usage and exits."""

    def error(self, message: str) -> NoReturn:
        raise DataError(f"inspect: {message}")


def parse(argv: Sequence[str] | None) -> Options:
    """Read the arguments after ``inspect``; by default the process's own.

    Raises:
        DataError: they are no good.
        SystemExit: help was asked for, and printed.
    """
    parser = _Parser(
        prog="ftloader inspect",
        description="Look at a data set, and at what a recipe makes of it, before training.",
        epilog=_EPILOG,
    )
    add = parser.add_argument
    add("--data", required=True, metavar="FOLDER", help="a COCO folder")
    add("--split", default="", help="such as val2017; may be left out where there is only one")
    add("--recipe", default="", metavar="NAME", help="augment the samples with this recipe")
    add("--seed", type=_word, default=0, metavar="N", help="the run's seed (default: 0)")
    add("--epoch", type=_word, default=0, metavar="N", help="the epoch to draw (default: 0)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--samples", type=_samples, default=SAMPLES, metavar="N",
        help=f"show so many samples, spread over the data set (default: {SAMPLES})")  # fmt: skip
    which.add_argument("--indices", type=_indices, metavar="I,J,K-L", help="show these samples")
    add("--out", type=Path, default=Path(_FOLDER), metavar="PATH",
        help=f"folder for the sheet and the plots, or a .png file for the sheet alone "
        f"(default: the folder {_FOLDER})")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="write figures and problems as JSON")
    add("--no-plots", dest="plots", action="store_false", help="draw no plots")
    add("--font", default="", metavar="FILE", help="TrueType font for class names that are not "
        "in Latin letters")  # fmt: skip
    return Options(**vars(parser.parse_args(argv)))


def _word(text: str) -> int:
    value = int(text)
    # Repeated indices take the epochs that follow, which must fit the word too.
    if not 0 <= value < 2**64 - MOST_SAMPLES:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 2**64 - {MOST_SAMPLES}")
    return value


def _samples(text: str) -> int:
    value = int(text)
    if not 0 <= value <= MOST_SAMPLES:
        raise argparse.ArgumentTypeError(f"a sheet shows 0 to {MOST_SAMPLES} samples, not {text}")
    return value


def _indices(text: str) -> tuple[int, ...]:
    chosen: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise argparse.ArgumentTypeError(f"{part.strip()!r} is neither an index nor a range")
        end = int(last) if dash else int(first)
        if end < int(first):
            raise argparse.ArgumentTypeError(f"the range {part.strip()!r} runs backwards")
        if len(chosen) + end - int(first) >= MOST_SAMPLES:
            raise argparse.ArgumentTypeError(f"a sheet shows at most {MOST_SAMPLES} samples")
        chosen.extend(range(int(first), end + 1))
    return tuple(chosen)
