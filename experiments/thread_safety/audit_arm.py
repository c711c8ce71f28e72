"""Audits groups of transforms in this interpreter: one JSON line each, progress on stderr.

``audit_arm.py GROUP,GROUP SECONDS [CASE-SUBSTRING]``; run.py starts it once per arm.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ftloader import AuditError, runtime
from ftloader.audit import audit

PACKAGES = (
    "numpy",
    "pillow",
    "torch",
    "torchvision",
    "mmcv-lite",
    "mmdet",
    "albumentations",
    "opencv-python-headless",
)


def packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass  # its groups are reported as absent
    return found


def audited(group: str, case: str, style: str, seconds: float) -> dict[str, Any]:
    """Return one verdict with what it took, or why there is none."""
    begin = time.perf_counter()
    try:
        verdict = audit(
            "thread_safety_cases:case", args=(group, case), style=style, seconds=seconds
        )
    except AuditError as error:
        return {"record": "none", "why": str(error)}
    took = time.perf_counter() - begin
    return {"record": "verdict", "seconds": took, "verdict": verdict.to_json()}


def main() -> int:
    groups, seconds = sys.argv[1].split(","), float(sys.argv[2])
    wanted = sys.argv[3] if len(sys.argv) > 3 else ""
    arm = {
        "interpreter": runtime.interpreter_name(),
        "gil": runtime.gil_enabled(),
        "packages": packages(),
    }
    for group in groups:
        try:
            module = importlib.import_module(f"thread_safety_cases.{group}_cases")
        except ImportError as error:
            print(json.dumps({"record": "absent", "arm": arm, "group": group, "why": str(error)}))
            continue
        for case in module.CASES:
            if wanted not in case:
                continue
            print(f"  {group}: {case}", file=sys.stderr)
            found = audited(group, case, module.STYLE, seconds)
            print(json.dumps({**found, "arm": arm, "group": group, "case": case}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
