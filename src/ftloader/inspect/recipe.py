"""Recipes by name: the standard ones, or ``module:attribute`` of the user's own."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from ftloader.detection.transforms import Transform
from ftloader.errors import DataError, summary


def find_recipe(name: str, dataset: Any, command: str = "inspect") -> Transform[Any]:
    """Return a recipe.

    Args:
        name: of a standard recipe; or ``module:attribute``, as seen from the current folder: a
            transform, or a function that takes the data set and returns one.
        dataset: where a recipe that mixes samples takes them from.

    Raises:
        DataError: it names no recipe; the message says why, or lists the names.
    """
    check_name(name, command)
    if ":" in name:
        return _own(name, dataset, command)
    from ftloader.detection.transforms.recipes import RECIPES

    return RECIPES[name](dataset)


def check_name(name: str, command: str = "inspect") -> None:
    """Refuse a name that no recipe can have, before any data is read.

    Raises:
        DataError: neither a standard recipe nor of the form ``module:attribute``.
    """
    from ftloader.detection.transforms.recipes import RECIPES

    module, colon, attribute = name.partition(":")
    if name not in RECIPES and not (colon and module and attribute):
        raise DataError(
            f"{command}: there is no recipe {name!r}; choose one of {', '.join(RECIPES)}, "
            f"or your own as module:recipe"
        )


def _own(name: str, dataset: Any, command: str) -> Transform[Any]:
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
        if not isinstance(found, Transform) and callable(found):
            found = found(dataset)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may even exit
        raise DataError(f"{command}: recipe {name!r} cannot be had: {summary(error)}") from error
    if not isinstance(found, Transform):
        raise DataError(f"{command}: recipe {name!r} is {type(found).__name__}, not a transform")
    return found
