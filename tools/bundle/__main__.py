"""Lets ``python tools/bundle ...`` run this folder as a program."""

import sys
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bundle.cli import main

if __name__ == "__main__":
    sys.exit(main())
