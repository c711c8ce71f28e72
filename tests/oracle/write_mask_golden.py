"""Write tests/golden/masks.npz: what pycocotools makes of random polygons and bitmaps.

Run on 3.12 with pycocotools 2.0.11 and NumPy, nothing else:

    python tests/oracle/write_mask_golden.py

pycocotools turns the GIL on when 3.13t imports it, so the ordinary tests compare with this file
instead. No real data goes into it.
"""

from pathlib import Path

import numpy as np
from pycocotools import mask as reference

TARGET = Path(__file__).parents[1] / "golden" / "masks.npz"
POLYGON_CASES = 240
BITMAP_CASES = 40


def polygon_case(rng: np.random.Generator, case: int) -> tuple[list[np.ndarray], int, int]:
    """Return the parts, width and height of one object; cases differ in kind, not only in size."""
    width, height = (int(n) for n in rng.integers(1, 160, 2))
    parts = []
    for _ in range(1 + (case % 4 == 0)):
        low, high = (-0.5, 1.5) if case % 3 == 0 else (0.0, 1.0)
        points = rng.uniform(low, high, (int(rng.integers(3, 14)), 2)) * [width, height]
        if case % 8 != 1:
            points = np.round(points, 2)  # as COCO files have them
        if case % 5 == 0:
            points = np.round(points)  # on pixel borders
        elif case % 7 == 0:
            points = np.floor(points) + 0.5  # on pixel centres
        if case % 11 == 0:
            points[1] = points[0]  # an edge of no length
        parts.append(points.ravel())
    return parts, width, height


def main() -> None:
    """Write the file."""
    rng = np.random.default_rng(20261121)
    coordinates, part_lengths, part_cases, sizes, packed = [], [], [], [], []
    for case in range(POLYGON_CASES):
        parts, width, height = polygon_case(rng, case)
        coordinates += parts
        part_lengths += [len(part) for part in parts]
        part_cases += [case] * len(parts)
        sizes.append((width, height))
        encoded = reference.frPyObjects([part.tolist() for part in parts], height, width)
        packed.append(reference.merge(encoded)["counts"])

    bitmaps, bitmap_sizes, bitmap_packed = [], [], []
    for case in range(BITMAP_CASES):
        width, height = (int(n) for n in rng.integers(1, 40, 2))
        bitmap = (rng.random((height, width)) < case / (BITMAP_CASES - 1)).astype(np.uint8)
        bitmaps.append(np.packbits(bitmap))
        bitmap_sizes.append((width, height))
        bitmap_packed.append(reference.encode(np.asfortranarray(bitmap))["counts"])

    np.savez_compressed(
        TARGET,
        coordinates=np.concatenate(coordinates),
        part_lengths=np.array(part_lengths, np.int16),
        part_cases=np.array(part_cases, np.int16),
        sizes=np.array(sizes, np.int16),
        packed=np.frombuffer(b"\n".join(packed), np.uint8),
        bitmaps=np.concatenate(bitmaps),
        bitmap_sizes=np.array(bitmap_sizes, np.int16),
        bitmap_packed=np.frombuffer(b"\n".join(bitmap_packed), np.uint8),
    )
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
