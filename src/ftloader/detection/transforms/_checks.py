"""Checks of settings that several transforms have."""

from __future__ import annotations

from collections.abc import Sequence


def check_size(name: str, size: object) -> None:
    """Refuse what is not a width and a height.

    Args:
        name: the setting, as in ``"Pad: size"``.
        size: its value.

    Raises:
        ValueError: it is not two whole numbers from 1 on.
    """
    sides = size if isinstance(size, Sequence) else ()
    if len(sides) != 2 or not all(isinstance(side, int) and side >= 1 for side in sides):
        raise ValueError(
            f"{name} must be two whole numbers from 1 on, (width, height) in pixels, not {size!r}"
        )
