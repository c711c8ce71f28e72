"""Running an experiment's script as a user would, in a folder and with a cache of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ftloader


def called(
    script: Path, folder: Path, *arguments: str, fault: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a script on this interpreter; ``fault`` is the one that it is to plant."""
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(ftloader.__file__).resolve().parents[1]),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "TINY_FAULT": fault,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
