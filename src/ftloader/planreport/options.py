"""The command line of ``python -m ftloader plan``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NoReturn, get_args

from ftloader.errors import PlanError

PolicyName = Literal["budget", "fixed", "detectron2", "mmdet", "torchvision"]
#: The policies by name, the one that this project adds first.
POLICIES: Final[tuple[PolicyName, ...]] = get_args(PolicyName)

_EPILOG: Final = """
A data set is a COCO folder, or a CSV file with a header and the columns width, height and, if the
cost model counts objects, boxes; image_id names the samples. Sizes are those before augmentation:
--resize, --multi-scale or --recipe say what becomes of them. Without any of the three the images
are planned as they are. No image is read.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for.

    Attributes:
        data: a COCO folder or a CSV file, as typed.
        split: which split of the folder, empty where there is only one.
        recipe: its name, empty without one.
        resize: width and height to resize into, if that is the recipe, pixels.
        multi_scale: the scales to choose from, if that is the recipe, pixels.
        policy: by which the epoch is cut into batches.
        budget: what a batch may cost, as typed; empty for what two aspect groups need.
        cost: the cost model's name or file.
        batch_size: images per batch of the policies that count images.
        max_images: images per batch at most, of the budget policy.
        stride: padded sides are multiples of this, pixels.
        tail: what happens to what makes no whole step.
        oversize: what happens to a sample that is over the budget by itself.
        ranks: that share a step.
        batches_per_step: over all ranks.
        seed: of the random streams.
        epoch: of the random streams.
        compare: whether to plan by every policy.
        json: where to write the figures, if anywhere.
        plot: where to draw them, if anywhere.
    """

    data: str
    split: str
    recipe: str
    resize: tuple[int, int] | None
    multi_scale: tuple[tuple[int, int], ...] | None
    policy: PolicyName
    budget: str
    cost: str
    batch_size: int
    max_images: int
    stride: int
    tail: Literal["fill", "drop"]
    oversize: Literal["raise", "downscale", "skip"]
    ranks: int
    batches_per_step: int
    seed: int
    epoch: int
    compare: bool
    json: Path | None
    plot: Path | None


class _Parser(argparse.ArgumentParser):
    """Raises on bad arguments, where argparse prints the usage and exits."""

    def error(self, message: str) -> NoReturn:
        raise PlanError(f"plan: {message}")


def parse(argv: Sequence[str] | None) -> Options:
    """Read the arguments after ``plan``; by default the process's own.

    Raises:
        PlanError: they are no good.
        SystemExit: help was asked for, and printed.
    """
    parser = _Parser(
        prog="ftloader plan",
        description="Plan an epoch's batches and report on them, before training.",
        epilog=_EPILOG,
    )
    _data_arguments(parser)
    _batch_arguments(parser)
    add = parser.add_argument
    add("--compare", action="store_true", help="plan by every policy, and compare")
    add("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    add("--plot", type=Path, metavar="FILE", help="draw the figures into a .png or .svg file")
    words = vars(parser.parse_args(argv))
    words["batches_per_step"] = words["batches_per_step"] or words["ranks"]
    options = Options(**words)
    _check(options)
    return options


def _data_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", required=True, metavar="PATH", help="a COCO folder, or a CSV file of sizes")
    add("--split", default="", help="such as val2017; may be left out where there is only one")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--recipe", default="", metavar="NAME",
        help="a standard recipe, or your own as module:recipe")  # fmt: skip
    which.add_argument("--resize", type=_size, metavar="WxH",
        help="resize into these limits, keeping the shape: 1333x800")  # fmt: skip
    which.add_argument("--multi-scale", type=_scales, metavar="A:B:STEP,LONGEST",
        help="draw the short side from A to B, the long one at most LONGEST: "
        "480:800:32,1333")  # fmt: skip
    add("--seed", type=_word, default=0, metavar="N", help="the run's seed (default: 0)")
    add("--epoch", type=_word, default=0, metavar="N", help="the epoch to plan (default: 0)")


def _batch_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--policy", choices=POLICIES, default="budget", help="how batches are made: within a "
        "memory budget (default), of a fixed number of images, or by aspect ratio as detectron2, "
        "mmdet or torchvision do")  # fmt: skip
    add("--budget", default="", metavar="AMOUNT", help="what a batch may cost: 8.6Mpx of padded "
        "pixels, 6GiB of memory (default: what two aspect groups need at their peak)")  # fmt: skip
    add("--cost", default="pixels", metavar="MODEL", help="what costs are counted with: pixels "
        "(default), host, rcnn, detr, or a .json file of a calibrated model")  # fmt: skip
    add("--batch-size", type=_count, default=8, metavar="N",
        help="images per batch, for policies without a budget (default: 8)")  # fmt: skip
    add("--max-images", type=_count, default=32, metavar="N",
        help="images per batch at most, for the budget policy (default: 32)")  # fmt: skip
    add("--stride", type=_count, default=32, metavar="N",
        help="padded sides are multiples of this, pixels (default: 32)")  # fmt: skip
    add("--tail", choices=("fill", "drop"), default="fill",
        help="serve every sample (default), or drop what makes no whole step")  # fmt: skip
    add("--oversize", choices=("raise", "downscale", "skip"), default="raise",
        help="what to do with a sample over the budget by itself (default: raise)")  # fmt: skip
    add("--ranks", type=_count, default=8, metavar="N", help="how many share a step (default: 8)")
    add("--batches-per-step", type=_count, default=0, metavar="N",
        help="of all ranks; more than --ranks accumulate gradients (default: --ranks)")  # fmt: skip


def _check(options: Options) -> None:
    """Refuse, before the work, what contradicts itself and places that cannot be written to."""
    if options.batches_per_step < options.ranks:
        raise PlanError(
            f"plan: {options.ranks} ranks cannot share a step of {options.batches_per_step} "
            f"batches; give --batches-per-step {options.ranks} or more"
        )
    if options.plot is not None and options.plot.suffix.lower() not in (".png", ".svg"):
        raise PlanError(f"plan: --plot draws .png and .svg files, not {options.plot.name!r}")
    for path in (options.json, options.plot):
        if path is not None and not path.absolute().parent.is_dir():
            raise PlanError(f"plan: there is no folder {str(path.parent)!r} for {path.name!r}")
        if path is not None and path.is_dir():
            raise PlanError(f"plan: {str(path)!r} is a folder, not a file to write")


def _named(convert: Callable[[str], int], what: str, text: str) -> int:
    try:
        return convert(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}") from None


def _count(text: str) -> int:
    value = _named(int, "a whole number", text)
    if not 1 <= value <= 1 << 20:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {1 << 20:,}")
    return value


def _word(text: str) -> int:
    value = _named(int, "a whole number", text)
    if not 0 <= value < 2**64:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 2**64 - 1")
    return value


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a width and a height, such as 1333x800")
    return _count(parts[0]), _count(parts[1])


def _scales(text: str) -> tuple[tuple[int, int], ...]:
    shorts, comma, longest = text.partition(",")
    parts = shorts.split(":")
    if not comma or len(parts) not in (2, 3):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not short sides and a longest side, such as 480:800:32,1333"
        )
    first, last, step = (*map(_count, parts), 1)[:3]
    if first > last:
        raise argparse.ArgumentTypeError(f"the short sides {shorts!r} run backwards")
    return tuple((_count(longest), short) for short in range(first, last + 1, step))
