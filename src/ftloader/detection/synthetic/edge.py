"""Small images that decoders trip over, for tests of correctness (never of speed).

Made on the spot from arithmetic, so that nobody stores them; the same bytes on every call.
"""

from __future__ import annotations

import json
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_WIDTH, _HEIGHT = 33, 21
_SIZES = {"one-row": (200, 1), "one-column": (1, 200), "one-pixel": (1, 1)}

# What an annotation of a 33 x 21 image may look like: its entry without ids.
_OBJECTS: dict[str, dict[str, Any]] = {
    "polygon": {"bbox": [4.5, 3, 10, 8], "area": 40.0,
                "segmentation": [[4.5, 3, 14.5, 3, 9.25, 11]]},
    "two parts, one flat": {"bbox": [2, 2, 20, 10], "area": 61.5,
                            "segmentation": [[2, 2, 9, 2, 9, 9], [12, 4, 22, 12]]},
    "out of the frame in part": {"bbox": [-6.5, 12, 20, 30], "area": 300.0,
                                 "segmentation": [[-6.5, 12, 13.5, 12, 13.5, 42, -6.5, 42]]},
    "out of the frame": {"bbox": [40, 5, 6, 6], "area": 36.0,
                         "segmentation": [[40, 5, 46, 5, 46, 11]]},
    "no width": {"bbox": [8, 8, 0, 5], "area": 5.0, "segmentation": [[8, 8, 8, 13, 8, 8]]},
    "no area": {"bbox": [8, 8, 5, 5], "area": 0, "segmentation": [[8, 8, 13, 8, 13, 13]]},
    "less than a pixel": {"bbox": [8, 8, 0.5, 0.5], "area": 0.25, "segmentation": []},
    "exactly a pixel": {"bbox": [32, 20, 1, 1], "area": 1.0,
                        "segmentation": [[32, 20, 33, 20, 33, 21, 32, 21]]},
    "no outline": {"bbox": [1, 1, 30, 18], "area": 540.0, "segmentation": []},
    "crowd": {"bbox": [10, 0, 2, 21], "area": 42.0, "iscrowd": 1,
              "segmentation": {"counts": [210, 42, 441], "size": [21, 33]}},
    "crowd, packed": {"bbox": [10, 0, 2, 21], "area": 42.0, "iscrowd": 1,
                      "segmentation": {"counts": "b6Z1i=", "size": [21, 33]}},
    "marked ignore": {"bbox": [3, 3, 9, 9], "area": 81.0, "ignore": 1, "segmentation": []},
}  # fmt: skip


def edge_set() -> dict[str, bytes]:
    """Return images that must decode: name to file bytes.

    Names starting with ``exif-`` hold the same picture stored in the orientation that the name
    ends with; upright, each is 33 x 21 pixels. All others are 33 x 21 too, but ``one-row``
    (200 x 1), ``one-column`` (1 x 200) and ``one-pixel``.
    """
    colour = Image.fromarray(_picture(_WIDTH, _HEIGHT))
    palette = colour.convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    alpha = colour.copy()
    alpha.putalpha(Image.fromarray(_picture(_WIDTH, _HEIGHT)[..., 0]))
    deep = Image.fromarray(_picture(_WIDTH, _HEIGHT)[..., 0].astype(np.uint16) * 257)
    files = {
        "baseline": _jpeg(colour),
        "progressive": _jpeg(colour, progressive=True),
        "chroma-422": _jpeg(colour, subsampling=1),
        "chroma-420": _jpeg(colour, subsampling=2),
        "grey": _jpeg(colour.convert("L")),
        "cmyk": _jpeg(colour.convert("CMYK")),
        # With a resolution of its own Pillow need not look for one in the EXIF block, and warn.
        "exif-damaged": _jpeg(colour, dpi=(72, 72), exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"),
        "png": _save(colour, "PNG"),
        "png-alpha": _save(alpha, "PNG"),
        "png-grey-alpha": _save(alpha.convert("LA"), "PNG"),
        "png-palette": _save(palette, "PNG"),
        "png-palette-alpha": _save(palette, "PNG", transparency=bytes(range(16))),
        "png-16-bit": _save(deep, "PNG"),
        "png-1-bit": _save(colour.convert("1"), "PNG"),
        "webp": _save(colour, "WEBP", lossless=True),
        "bmp": _save(colour, "BMP"),
        "one-row": _jpeg(Image.fromarray(_picture(200, 1))),
        "one-column": _jpeg(Image.fromarray(_picture(1, 200))),
        "one-pixel": _jpeg(Image.fromarray(_picture(1, 1))),
    }
    return files | {f"exif-{o}": _stored(colour, o) for o in range(1, 9)}


def broken_set() -> dict[str, bytes]:
    """Return bytes that must be refused: name to file bytes."""
    whole = _jpeg(Image.fromarray(_picture(_WIDTH, _HEIGHT)))
    png = _save(Image.fromarray(_picture(_WIDTH, _HEIGHT)), "PNG")
    return {
        "empty": b"",
        "text": b"<html>404 Not Found</html>",
        "zeros": bytes(1000),
        "jpeg-half": whole[: len(whole) // 2],
        "jpeg-header-only": whole[:300],
        "jpeg-two-bytes": whole[:2],
        "png-half": png[: len(png) // 2],
        "png-damaged": png[:60] + bytes(20) + png[80:],
        "png-bomb": _png_claiming(60_000, 60_000),
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    }


def edge_document() -> dict[str, Any]:
    """Return an instances document for the edge set: annotations that readers trip over.

    Every image has one of each object of ``_OBJECTS``, but ``grey``, which has none, and the three
    images of other sizes, which have one box over everything. File names are those that
    :func:`write_edge_coco` gives.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for name, data in edge_set().items():
        width, height = _SIZES.get(name, (_WIDTH, _HEIGHT))
        image = {"id": len(images) + 1, "file_name": _file_name(name, data)}
        images.append({**image, "width": width, "height": height})
        whole = {"bbox": [0, 0, width, height], "area": width * height, "segmentation": []}
        objects = list(_OBJECTS.values()) if name not in _SIZES else [whole]
        for thing in objects if name != "grey" else []:
            number = len(annotations) + 1
            entry = {"id": number, "image_id": image["id"], "category_id": 1, "iscrowd": 0}
            annotations.append(entry | thing)
    categories = [{"id": 1, "name": "thing"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_edge_coco(folder: str | Path) -> Path:
    """Write the edge set as a COCO folder (split ``edge``) and return the folder."""
    folder = Path(folder)
    for below in ("annotations", "edge"):
        (folder / below).mkdir(parents=True, exist_ok=True)
    for name, data in edge_set().items():
        (folder / "edge" / _file_name(name, data)).write_bytes(data)
    path = folder / "annotations" / "instances_edge.json"
    path.write_text(json.dumps(edge_document()), encoding="utf-8")
    return folder


def _file_name(name: str, data: bytes) -> str:
    endings = {b"\xff\xd8": "jpg", b"\x89P": "png", b"RI": "webp", b"BM": "bmp"}
    return f"{name}.{endings[data[:2]]}"


def _picture(width: int, height: int) -> NDArray[np.uint8]:
    """Return a smooth picture with no symmetry, so that every orientation looks different."""
    y, x = np.mgrid[0:height, 0:width]
    red = 255 * x / max(width - 1, 1)
    green = 255 * y / max(height - 1, 1)
    blue = 127 + 100 * np.sin(x / 5 + y / 3)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def _stored(upright: Image.Image, orientation: int) -> bytes:
    """Return a file whose pixels are turned and whose EXIF says how to turn them back."""
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = upright.transpose(turn[orientation]) if orientation in turn else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _jpeg(image, quality=100, exif=exif)


def _png_claiming(width: int, height: int) -> bytes:
    """Return a few bytes that promise a huge picture."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1000))
    file = b"\x89PNG\r\n\x1a\n"
    for chunk in (header, data, b"IEND"):
        file += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return file


def _jpeg(image: Image.Image, **options: Any) -> bytes:
    return _save(image, "JPEG", **{"quality": 95, "subsampling": 0, **options})


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
