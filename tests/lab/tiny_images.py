"""A few images so small that loading them takes no time, as an experiment gets them."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from ftloader import lab


def small_inputs():
    """Return three flat images with two objects each."""
    made = []
    for key, size in enumerate([(64, 48), (40, 60), (50, 50)]):
        file = BytesIO()
        Image.new("RGB", size, (80 * key, 90, 200)).save(file, "JPEG")
        outline = [4.0, 4.0, 24.0, 4.0, 24.0, 20.0, 4.0, 20.0]
        record = {"bbox": [4.0, 4.0, 20.0, 16.0], "area": 320.0, "iscrowd": 0}
        records = tuple(
            {**record, "id": 2 * key + at, "category_id": at, "segmentation": [outline]}
            for at in (1, 2)
        )
        made.append(lab.JpegSample(key, *size, file.getvalue(), records))
    return lab.Inputs(tuple(made), (1, 2), seed=5)
