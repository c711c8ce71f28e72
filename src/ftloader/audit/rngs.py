"""The process's global random generators: ``random``, NumPy's legacy one, and torch's if loaded.

They are shared by all threads, so an audit seeds them before a call, looks whether a call has
touched them, and puts them back. Nothing here imports torch: a generator that is not loaded cannot
have been drawn from.

Thread safety: none of it; for one thread at a time, as the generators are global.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

#: Names of the generators that :func:`states` may return.
RANDOM: Final = "random"
NUMPY: Final = "numpy.random"
TORCH: Final = "torch"


def seed_all(seed: int) -> None:
    """Seed every global generator there is.

    Args:
        seed: 0 or more; what exceeds 32 bits is cut off for all alike.
    """
    seed %= 2**32
    random.seed(seed)
    np.random.seed(seed)
    torch = _torch()
    if torch is not None:
        torch.default_generator.manual_seed(seed)


def states() -> dict[str, Any]:
    """Return the state of every global generator, by name; to be compared by their digests."""
    now: dict[str, Any] = {RANDOM: random.getstate(), NUMPY: np.random.get_state(legacy=False)}
    torch = _torch()
    if torch is not None:
        now[TORCH] = torch.default_generator.get_state().numpy().copy()
    return now


def restore(before: Mapping[str, Any]) -> None:
    """Put the generators back; one that was not loaded then is left as it is.

    Args:
        before: what :func:`states` returned.
    """
    random.setstate(before[RANDOM])
    np.random.set_state(before[NUMPY])
    torch = _torch()
    if torch is not None and TORCH in before:
        torch.default_generator.set_state(torch.from_numpy(before[TORCH].copy()))


def _torch() -> Any:
    """Return torch if somebody has loaded it to the end."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "default_generator") else None
