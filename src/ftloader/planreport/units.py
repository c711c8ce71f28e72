"""Costs as text."""

from __future__ import annotations

from ftloader.batching import CostModel


def in_units(cost: float, model: CostModel) -> str:
    """Return a cost with its unit."""
    return in_pixels(cost) if model.unit == "pixels" else in_bytes(cost)


def in_pixels(value: float) -> str:
    """Return a number of pixels: millions of them, unless they are few."""
    return f"{value / 1e6:,.2f} Mpx" if value >= 1e4 else f"{value:,.0f} px"


def in_bytes(value: float) -> str:
    """Return a number of bytes in the largest binary unit that leaves a whole one."""
    for unit in ("bytes", "KiB", "MiB"):
        if value < 1024:
            return f"{value:,.0f} bytes" if unit == "bytes" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.2f} GiB"
