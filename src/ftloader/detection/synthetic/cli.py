"""``python -m ftloader synth``: write a synthetic COCO folder and print its path."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from ftloader.detection.synthetic.folder import synthetic_coco, write_synthetic_coco
from ftloader.detection.synthetic.spec import SyntheticSpec
from ftloader.errors import DataError


class _BadArguments(Exception):
    """The command line cannot be understood."""


class _Parser(argparse.ArgumentParser):
    """Raises on bad arguments, where argparse prints the usage and exits."""

    def error(self, message: str) -> NoReturn:
        raise _BadArguments(message)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments after ``synth``; by default the process's own.

    Returns:
        0 when the folder is there, 2 on bad arguments or a folder that cannot be written, 130
        after Ctrl-C.
    """
    parser = _Parser(
        prog="ftloader synth",
        description="Write a COCO folder of synthetic images with the statistics of COCO 2017.",
    )
    parser.add_argument("--images", type=int, default=64, help="how many (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="other seeds, other data (default: 0)")
    parser.add_argument("--out", metavar="DIR", help="folder to make (default: the user's cache)")
    parser.add_argument("--workers", type=int, help="threads (default: one per core)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    try:
        options = parser.parse_args(argv)
        spec = SyntheticSpec(images=options.images, seed=options.seed)
        shown, workers = not options.quiet, options.workers
        if options.out is None:
            folder = synthetic_coco(spec, progress=shown, workers=workers)
        else:
            folder = write_synthetic_coco(spec, options.out, progress=shown, workers=workers)
    except SystemExit:  # --help
        return 0
    except (_BadArguments, DataError, ValueError) as error:
        print(f"ftloader synth: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ftloader synth: interrupted, nothing kept", file=sys.stderr)
        return 130
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
