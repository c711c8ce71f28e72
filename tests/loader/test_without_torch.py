from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "what", ["from ftloader import DataLoader", "import ftloader.interop.torch"]
)
def test_without_torch_it_is_said_how_to_get_it(what: str) -> None:
    code = f"import sys; sys.modules['torch'] = None; {what}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: this needs torch, which is not installed: pip install")
