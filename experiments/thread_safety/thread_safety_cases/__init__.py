"""What the audit is shown: one module per library, each with factories by name in ``CASES``."""

from __future__ import annotations

import importlib
from typing import Any


def case(group: str, name: str) -> Any:
    """Make one transform; the audit calls this in its own processes."""
    return importlib.import_module(f"{__name__}.{group}_cases").CASES[name]()
