"""Which experiments can be packed, and the packages that each one needs.

Packed are the experiments whose command line is the laboratory's and whose packages fit in an
archive of 60 MB; those that train need torch (4.6 GB). The reader of a result file sees which
contenders had been left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from .errors import BundleError

BASE = ("numpy", "pillow")
# What a page of results is drawn with; every experiment also runs without it.
REPORT = ("matplotlib", "jinja2")
EXPERIMENTS: Dict[str, Tuple[str, ...]] = {
    "scaling": (),
    "sharing": (),
    "head_of_line": (),
    "object_store": (),
    "memory": (),
    "peers": ("spdl-core",),
    "engine_overhead": ("spdl-core",),
    "transforms": (),
}


def available(root: Path) -> List[str]:
    """Return the names of the experiments below ``root`` that can be packed."""
    return [name for name in EXPERIMENTS if (root / "experiments" / name / "run.py").is_file()]


def chosen(root: Path, names: Sequence[str]) -> List[str]:
    """Check the names of experiments; without any, return all that can be packed.

    Raises:
        BundleError: one cannot be packed, or is not there.
    """
    there = available(root)
    for name in names:
        if name not in there:
            raise BundleError(f"experiment {name!r} cannot be packed: choose {', '.join(there)}")
    return list(dict.fromkeys(names)) or there


def packages(experiments: Sequence[str], report: bool) -> List[str]:
    """Return the names of the packages to install, without what they need in turn."""
    wanted = [*BASE, *(REPORT if report else ())]
    wanted += [package for name in experiments for package in EXPERIMENTS[name]]
    return list(dict.fromkeys(wanted))
