"""Where an experiment is described: a script, or an attribute of a module that can be imported.

Every worker process loads the description by itself, from the same words as the command line got.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import DataError

#: The name that a script's description has, and a module's where no other is named.
ATTRIBUTE = "EXPERIMENT"
# Fixed name: classes and functions of a script must pickle and print alike in all processes.
_SCRIPT_MODULE = "ftloader_experiment"
_FTLOADER = Path(__file__).resolve().parents[1]


def is_script(where: str) -> bool:
    """Tell whether the words name a file, rather than a module."""
    return where.endswith(".py") or os.sep in where


def absolute(where: str) -> str:
    """Return the words as another process must get them: a script by its whole path."""
    return str(Path(where).resolve()) if is_script(where) else where


def command(where: str) -> str:
    """Return how it is run, in words that may be committed: where a script lies is left out."""
    if not is_script(where):
        return f"python -m ftloader.lab run {where}"
    parts = Path(where).parts
    if len(parts) >= 3 and parts[-3] == "experiments":
        return f"python {'/'.join(parts[-3:])}"
    return f"python {parts[-1]}"


def folder(where: str) -> Path:
    """Return the folder that holds the description; the module has been loaded."""
    if is_script(where):
        return Path(where).resolve().parent
    file = getattr(sys.modules.get(where.partition(":")[0]), "__file__", None)
    return Path(file).resolve().parent if file else Path.cwd()


def digest(where: str) -> str:
    """Return a digest of the experiment's own code.

    That is its file and the modules below its folder that have been imported by now, but nothing
    that was installed beside it. ftloader's source has a digest of its own.
    """
    root = folder(where)
    files = {Path(where).resolve()} if is_script(where) else set()
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if isinstance(name, str) and name.endswith(".py"):
            path = Path(name).resolve()
            own = path.is_relative_to(root) and not path.is_relative_to(_FTLOADER)
            if own and "site-packages" not in path.relative_to(root).parts:
                files.add(path)
    found = hashlib.blake2b(digest_size=8)
    for path in sorted(files):
        found.update(str(path.relative_to(root)).encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def load(where: str) -> Any:
    """Load a description without running a script's ``__main__`` part.

    Args:
        where: path of a script that defines ``EXPERIMENT``, or ``"module:attribute"``; a module's
            attribute is ``EXPERIMENT`` if none is named. The working folder and a script's own
            folder can be imported from, as with ``python -m`` and ``python script``.

    Raises:
        DataError: there is no such file, module or attribute, or loading it failed.
    """
    if is_script(where):
        module, attribute = _script(Path(where)), ATTRIBUTE
    else:
        name, _, attribute = where.partition(":")
        module, attribute = _module(name, where), attribute or ATTRIBUTE
    try:
        return getattr(module, attribute)
    except AttributeError:
        hint = f"name the experiment as module:attribute, or call it {ATTRIBUTE}"
        if is_script(where):
            hint = f"a script that measures by itself is run by itself: python {where}"
        raise DataError(f"{where} defines no {attribute}; {hint}") from None


def _script(path: Path) -> ModuleType:
    _can_import_from(path.resolve().parent)
    spec = importlib.util.spec_from_file_location(_SCRIPT_MODULE, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise DataError(f"{path} is not a Python file; an experiment is a script")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    loader = spec.loader
    _guarded(lambda: loader.exec_module(module), str(path))
    return module


def _module(name: str, where: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise DataError(f"{where!r} is neither a script (run.py) nor module:attribute")
    # As `python -m` does; a program that was installed does not.
    _can_import_from(Path.cwd())
    _guarded(lambda: importlib.import_module(name), name)
    return sys.modules[name]


def _can_import_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _guarded(load: Callable[[], object], where: str) -> None:
    try:
        load()
    except Exception as error:  # whatever a module's own code raises
        said = f"{where} cannot be loaded: {type(error).__name__}: {error}"
        frame = traceback.extract_tb(error.__traceback__)[-1]
        if "importlib" not in frame.filename:  # its own frames say nothing to anybody
            said += f" ({Path(frame.filename).name}, line {frame.lineno})"
        raise DataError(said) from error
