"""Counts wrong results of the real races: ``races.py NAME CALLS INTERVAL`` prints one JSON line.

Each race is shipped code, called from eight threads as a loader would, with a check that any single
result must pass. INTERVAL is the switch interval in seconds; it has no meaning without a GIL.
"""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ftloader import runtime
from ftloader.lab import provenance

THREADS = 8
Check = Callable[[int], bool]


def random_flip() -> Check:
    """Two mmcv RandomFlip, one that never flips and one that always does."""
    from thread_safety_cases.mmcv_cases import t

    never, always = t.RandomFlip(prob=0.0), t.RandomFlip(prob=1.0)
    image = np.zeros((8, 8, 3), np.uint8)

    def right(call: int) -> bool:
        transform = always if call % 2 else never
        return bool(transform({"img": image, "img_shape": (8, 8)})["flip"]) == bool(call % 2)

    return right


def random_choice_resize() -> Check:
    """One mmcv RandomChoiceResize: does the image have the size that the result names?"""
    from thread_safety_cases.mmcv_cases import t

    scales = [(8, 8), (16, 16), (24, 24), (32, 32)]
    transform = t.RandomChoiceResize(scales, keep_ratio=False, backend="pillow")
    image = np.zeros((12, 12, 3), np.uint8)

    def right(call: int) -> bool:
        result = transform({"img": image, "img_shape": (12, 12)})
        return bool(result["img"].shape[:2] == scales[result["scale_idx"]])

    return right


def shared_image() -> Check:
    """An image that is opened once, loaded by nobody and pasted by eight threads at their start."""
    from PIL import Image
    from thread_safety_cases.pillow_cases import encoded

    data = encoded()
    expected = Image.open(io.BytesIO(data)).convert("RGB").tobytes()
    shared: list[Image.Image] = []
    turn = threading.Barrier(THREADS, action=lambda: shared.append(Image.open(io.BytesIO(data))))

    def right(call: int) -> bool:
        turn.wait(60)
        canvas = Image.new("RGB", (48, 48))
        try:
            canvas.paste(shared[-1], (0, 0))
        except Exception:  # OSError, SyntaxError, AttributeError: all seen
            return False
        return canvas.tobytes() == expected

    return right


RACES: dict[str, Callable[[], Check]] = {
    "mmcv RandomFlip": random_flip,
    "mmcv RandomChoiceResize": random_choice_resize,
    "Pillow, a shared image not loaded": shared_image,
}


def main() -> int:
    name, calls, interval = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    try:
        right = RACES[name]()
    except ImportError as error:
        print(json.dumps({"record": "absent", "race": name, "why": str(error)}))
        return 0
    sys.setswitchinterval(interval)
    start = threading.Barrier(THREADS)

    def work(thread: int) -> int:
        start.wait(60)
        # Alternating within a thread, so that neighbours differ at any moment.
        return sum(not right(thread + turn) for turn in range(calls // THREADS))

    with ThreadPoolExecutor(THREADS) as pool:
        wrong = sum(pool.map(work, range(THREADS)))
    record: dict[str, Any] = {
        "record": "race",
        "race": name,
        "calls": calls // THREADS * THREADS,
        "wrong": wrong,
        "threads": THREADS,
        "interval": interval,
        "gil": runtime.gil_enabled(),
        "interpreter": runtime.interpreter_name(),
        "packages": provenance.packages(),
    }
    print(json.dumps(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
