"""Settings of the whole process that a transform may change: how to read, nudge and restore each.

To nudge is to set another harmless value, so that somebody who always sets the same one is seen.
Libraries count only if they are loaded.

Thread safety: none; the settings are the process's.
"""

from __future__ import annotations

import decimal
import gc
import locale
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        get: returns its value; raises AttributeError if the library is not loaded, or too old.
        put: sets a value that ``get`` returned.
        other: another value than this one; None if there is no harmless one.
        instead: what to do rather than set it.
    """

    get: Callable[[], Any]
    put: Callable[[Any], object]
    other: Callable[[Any], Any] | None = None
    instead: str = "set it once, before threads are started"


class _Nudge(Warning):
    """The category of a filter that matches no warning."""


def _torch() -> Any:
    return sys.modules.get("torch")


def _cv2() -> Any:
    return sys.modules.get("cv2")


def _filters(value: list[Any]) -> None:
    warnings.filters[:] = value  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _more_digits(value: decimal.Context) -> decimal.Context:
    context = value.copy()
    context.prec += 1
    return context


def _other_handling(value: Mapping[str, str]) -> dict[str, str]:
    return {name: "ignore" if how == "warn" else "warn" for name, how in value.items()}


def _attribute(module: str, name: str, other: Callable[[Any], Any]) -> Setting:
    def get() -> Any:
        return getattr(sys.modules.get(module), name)

    return Setting(get, lambda value: setattr(sys.modules[module], name, value), other)


def _flipped(value: Any) -> bool:
    return not value


def _next(value: Any) -> Any:
    return value + 1


_BLOCK: Final = "put what needs it into a with block (np.errstate, np.printoptions)"

SETTINGS: Final[Mapping[str, Setting]] = {
    "numpy.seterr": Setting(np.geterr, lambda now: np.seterr(**now), _other_handling, _BLOCK),
    "numpy.set_printoptions": Setting(
        np.get_printoptions,
        lambda now: np.set_printoptions(**now),
        lambda now: {**now, "precision": now["precision"] + 1},
        _BLOCK,
    ),
    "the decimal context": Setting(
        lambda: decimal.getcontext().copy(),
        decimal.setcontext,
        _more_digits,
        "use decimal.localcontext",
    ),
    "warnings.filters": Setting(
        lambda: list(warnings.filters),
        _filters,
        lambda now: [("default", None, _Nudge, None, 0), *now],
        "leave the filters to the program",
    ),
    "the locale": Setting(
        lambda: locale.setlocale(locale.LC_ALL), lambda now: locale.setlocale(locale.LC_ALL, now)
    ),
    "the working directory": Setting(os.getcwd, os.chdir, None, "use absolute paths"),
    "sys.setswitchinterval": Setting(
        sys.getswitchinterval, sys.setswitchinterval, lambda now: now * 1.5
    ),
    "sys.setrecursionlimit": Setting(sys.getrecursionlimit, sys.setrecursionlimit, _next),
    "garbage collection": Setting(
        gc.isenabled,
        lambda now: gc.enable() if now else gc.disable(),
        _flipped,
        "leave the collector to the program",
    ),
    "torch.set_num_threads": Setting(
        lambda: _torch().get_num_threads(), lambda now: _torch().set_num_threads(now), _next
    ),
    "torch.set_grad_enabled": Setting(
        lambda: _torch().is_grad_enabled(),
        lambda now: _torch().set_grad_enabled(now),
        _flipped,
        "put what needs it into a with block (torch.no_grad)",
    ),
    "torch.set_default_dtype": Setting(
        lambda: _torch().get_default_dtype(), lambda now: _torch().set_default_dtype(now)
    ),
    "torch.use_deterministic_algorithms": Setting(
        lambda: _torch().are_deterministic_algorithms_enabled(),
        lambda now: _torch().use_deterministic_algorithms(now),
    ),
    "torch.backends.cudnn.benchmark": _attribute("torch.backends.cudnn", "benchmark", _flipped),
    "cv2.setNumThreads": Setting(
        lambda: _cv2().getNumThreads(), lambda now: _cv2().setNumThreads(now), _next
    ),
    "cv2.setUseOptimized": Setting(
        lambda: _cv2().useOptimized(), lambda now: _cv2().setUseOptimized(now), _flipped
    ),
    "PIL.Image.MAX_IMAGE_PIXELS": _attribute(
        "PIL.Image", "MAX_IMAGE_PIXELS", lambda now: (now or 1 << 30) + 1
    ),
    "PIL.ImageFile.LOAD_TRUNCATED_IMAGES": _attribute(
        "PIL.ImageFile", "LOAD_TRUNCATED_IMAGES", _flipped
    ),
}


def values() -> dict[str, Any]:
    """Return the value of every setting that there is."""
    now = {}
    for name, setting in SETTINGS.items():
        try:
            now[name] = setting.get()
        except AttributeError:
            continue
    return now


def restore(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Put back the settings that have changed.

    Args:
        before: what :func:`values` returned.
        now: what it returns now.
    """
    for name, value in before.items():
        if now.get(name) is not value:
            SETTINGS[name].put(value)


def nudge(now: Mapping[str, Any]) -> None:
    """Set every setting of these that has a harmless other value to it."""
    for name, value in now.items():
        other = SETTINGS[name].other
        if other is not None:
            SETTINGS[name].put(other(value))
