"""Image bytes to RGB arrays, and antialiased resizing, through Pillow.

Every function is pure and thread-safe: each call makes its own Pillow image, shares it with
nobody, and touches no Pillow setting. Decoding and resizing release the GIL where there is one.
Results are bit-identical on every thread and interpreter with the same Pillow. Returned arrays are
read-only: they may be shared, and copied by whoever wants to write.
"""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from ftloader.errors import DecodeError

RgbImage = NDArray[np.uint8]

# Largest image that is decoded unless the caller allows more: 8192 x 8192, 201 MB as RGB.
MAX_PIXELS = 1 << 26

# Named one by one: importing them here registers them once, before any thread decodes, and Pillow
# never tries formats that start other programs (PostScript).
_PLUGINS = (
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    TiffImagePlugin.TiffImageFile,
)
_FORMATS = tuple(str(plugin.format) for plugin in _PLUGINS)

_ORIENTATION_TAG = 0x0112
_SHORT = 3  # EXIF's type code of a 16-bit number
# EXIF orientation -> what turns the stored image upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Orientations whose stored image has width and height exchanged.
_ON_ITS_SIDE = frozenset({5, 6, 7, 8})
# Modes that Pillow turns into 8-bit RGB without clipping. Alpha is dropped, not blended.
_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB"}


def decode(
    data: bytes,
    *,
    name: str = "",
    at_least: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> RgbImage:
    """Decode image bytes to upright RGB.

    JPEG, PNG, WebP, BMP, GIF and TIFF (first frame) are read; the EXIF orientation is applied;
    grey, palette, CMYK and 16-bit grey images are converted, an alpha channel is dropped.

    Args:
        data: the whole file.
        name: what to call this sample in an error, such as its file name.
        at_least: width and height, pixels, of the upright image. A JPEG is then decoded at 1/2,
            1/4 or 1/8 of its size, whichever is the smallest that is still that large in both
            directions; each side is the full one divided, rounded up. That costs a fraction of
            the time. Other formats, and JPEGs less than twice that large, are decoded in full.
        max_pixels: the largest image that is decoded, by the size in its header; what claims to be
            larger is refused before memory is taken for it. Pillow's own limit
            (``PIL.Image.MAX_IMAGE_PIXELS``) holds as well: raise both for larger images.

    Returns:
        uint8 (H, W, 3), C-contiguous, read-only.

    Raises:
        DecodeError: the bytes are not such an image, are cut short, or claim too many pixels.
        ValueError: ``at_least`` or ``max_pixels`` is not positive.
    """
    if max_pixels < 1 or (at_least is not None and min(at_least) < 1):
        raise ValueError(
            f"cannot decode with at_least={at_least}, max_pixels={max_pixels}: must be positive"
        )
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise ValueError(
                    f"{image.width} x {image.height} pixels are more than max_pixels={max_pixels}"
                )
            orientation = _orientation(image.info.get("exif", b""))
            if at_least is not None:
                # The decoder scales the image as it is stored, which may be lying on its side.
                image.draft(None, at_least[::-1] if orientation in _ON_ITS_SIDE else at_least)
            image.load()
            return np.asarray(_to_rgb(_upright(image, orientation)))
    except MemoryError:
        raise
    except UnidentifiedImageError:
        reason = "not an image of a known format" if data else "no bytes"
    except Exception as error:  # damaged headers end in nearly any exception inside a decoder
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise DecodeError(_message(name, len(data), reason)) from error
    raise DecodeError(_message(name, len(data), reason))


def resize(image: RgbImage, size: tuple[int, int]) -> RgbImage:
    """Resize with a bilinear filter that is widened when shrinking (antialiased).

    Args:
        image: uint8 (H, W, 3).
        size: new width and height, pixels.

    Returns:
        uint8 (size[1], size[0], 3), read-only. An image that has the size already is returned as
        it is.

    Raises:
        ValueError: a side is not positive.
    """
    width, height = size
    if width < 1 or height < 1:
        raise ValueError(f"cannot resize to {width} x {height} pixels: both must be positive")
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def fit_within(width: int, height: int, long_edge: int, short_edge: int) -> tuple[int, int]:
    """Return the largest size of the same shape inside a long-edge and a short-edge limit.

    The factor is ``min(long_edge / max(w, h), short_edge / min(w, h))``, as for mmdet's
    ``Resize(scale=(1333, 800), keep_ratio=True)``; sides are rounded half up, and a side that
    would vanish stays 1 pixel. Which of the two limits is the larger does not matter.

    Args:
        width: present width, pixels.
        height: present height, pixels.
        long_edge: limit for the longer side, pixels.
        short_edge: limit for the shorter side, pixels.

    Returns:
        New width and height, pixels.

    Raises:
        ValueError: a size is not positive.
    """
    if min(width, height, long_edge, short_edge) < 1:
        raise ValueError(
            f"cannot fit {width} x {height} into {long_edge} x {short_edge}: all must be positive"
        )
    limits = (max(long_edge, short_edge), min(long_edge, short_edge))
    factor = min(limits[0] / max(width, height), limits[1] / min(width, height))
    return max(1, int(width * factor + 0.5)), max(1, int(height * factor + 0.5))


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return the image with its EXIF orientation applied."""
    method = _UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


def _orientation(exif: bytes) -> int:
    """Return the orientation in an EXIF block, 1 (upright) where it is missing or damaged.

    Read by hand: Pillow's reader parses every tag and warns of damage that viewers and OpenCV
    pass over.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG and kind == _SHORT:
                return int(value)
    except struct.error:  # cut short
        pass
    return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    # A transparent palette entry is only a note on the image; with it, convert() warns.
    image.info.pop("transparency", None)
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode not in _MODES:
        raise ValueError(f"pixels of mode {image.mode!r} have no 8-bit colours")
    return image.convert("RGB")


def _message(name: str, size: int, reason: str) -> str:
    # Decoder messages may span lines; an error is one line.
    return f"cannot decode {name or 'image'} ({size} bytes): {' '.join(reason.split())}"
