"""Damaged image bytes: number -> case, the same on every machine."""

from __future__ import annotations

import random
import struct
import zlib

import numpy as np

from ftloader.detection.image import decode
from ftloader.detection.synthetic import broken_set, edge_set
from ftloader.errors import DecodeError

INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
SIZES = (None, None, (33, 21), (16, 10), (4, 2), (1, 1), (10_000, 1))


def png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    file = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        file += struct.pack(">I", len(body)) + kind + body
        file += struct.pack(">I", zlib.crc32(kind + body))
    return file


def header(width: int, height: int, depth: int = 8, colour: int = 2) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


def sized(data: bytes, at: int, form: str, width: int, height: int) -> bytes:
    """The file, claiming another size."""
    size = struct.pack(form, width, height)
    return data[:at] + size + data[at + len(size) :]


def bombs() -> dict[str, bytes]:
    """Small files that ask for a lot of memory or time."""
    edge = edge_set()
    jpeg = edge["baseline"]
    frame = jpeg.index(b"\xff\xc0") + 5
    progressive = edge["progressive"]
    scan = progressive.index(b"\xff\xc2") + 5
    zeros = zlib.compress(bytes(1 << 24), 9)
    pixels = (b"IDAT", zlib.compress(bytes(33 * 21 * 4)))
    end = (b"IEND", b"")
    exif = b"\xff\xe1\xff\xff" + b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0" * 16_379
    lossless = b"WEBPVP8L" + struct.pack("<I", 5) + b"\x2f\xff\xff\xff\x0f" + bytes(1)
    extended = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\0" * 2
    gif = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0" + bytes(6)
    gif += b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\0;"
    entries = [(256, 4, 1, 60_000), (257, 4, 1, 60_000), (258, 3, 1, 8), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 60_000), (279, 4, 1, 100)]
    ifd = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries)
    many = struct.pack("<H", 1) + struct.pack("<HHII", 700, 1, 0xFFFFFFF0, 8)
    return {
        "png-huge": png([header(2**31 - 1, 2**31 - 1), pixels, end]),
        "png-just-over": png([header(8193, 8192), (b"IDAT", zeros), end]),
        "png-wide": png([header(2**26, 1, 1, 0), (b"IDAT", zeros), end]),
        "png-16m-zeros": png([header(33, 21), (b"IDAT", zeros), end]),
        "png-text": png([header(33, 21), (b"zTXt", b"a\0\0" + zeros), pixels, end]),
        "png-profile": png([header(33, 21), (b"iCCP", b"a\0\0" + zeros), pixels, end]),
        "png-many-texts": png([header(33, 21), *[(b"tEXt", b"a\0b")] * 20_000, pixels, end]),
        "jpeg-huge": sized(jpeg, frame, ">HH", 65_500, 65_500),
        "jpeg-large": sized(jpeg, frame, ">HH", 8192, 8192),
        "jpeg-progressive-large": sized(progressive, scan, ">HH", 8000, 8000),
        "jpeg-exif-64k": jpeg[:2] + exif + jpeg[2:],
        "jpeg-exif-many": jpeg[:2] + exif * 50 + jpeg[2:],
        "jpeg-comments": jpeg[:2] + b"\xff\xfe\0\x02" * 50_000 + jpeg[2:],
        "bmp-huge": sized(edge["bmp"], 18, "<ii", 2**31 - 1, -(2**31)),
        "bmp-large": sized(edge["bmp"], 18, "<ii", 8192, 8192),
        "webp-huge": b"RIFF" + struct.pack("<I", len(lossless)) + lossless,
        "webp-extended": b"RIFF" + struct.pack("<I", len(extended)) + extended,
        "gif-huge": gif,
        "tiff-huge": b"II*\0\x08\0\0\0" + ifd + bytes(4),
        "tiff-many-values": b"II*\0\x08\0\0\0" + many + bytes(4),
        "tiff-loop": b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8),
    }


ORIGINALS = {**edge_set(), **broken_set(), **bombs()}
NAMES = sorted(ORIGINALS)
BOMBS = sorted(bombs())
# A bomb may cost a second, so it is damaged less often.
USUAL = sorted(edge_set().keys() | broken_set().keys())


def expect(held: bool, otherwise: str) -> None:
    if not held:
        raise AssertionError(otherwise)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one piece of damage."""
    at = rng.randrange(min(len(data), 64) if rng.random() < 0.4 else len(data)) if data else 0
    length = int(2 ** rng.uniform(0, 8))
    how = rng.randrange(8)
    if how == 0:
        return data[:at]
    if how == 1:
        return data[:at] + data[at + length :]
    if how == 2:
        return data[:at] + data[at : at + length] * 2 + data[at + length :]
    if how == 3:
        return data[:at] + rng.randbytes(length) + data[at + length :]
    if how == 4:
        other = ORIGINALS[rng.choice(USUAL)]
        return data[:at] + other[rng.randrange(len(other) + 1) :]
    if how == 5:
        form = rng.choice(["B", "<H", ">H", "<I", ">I"])
        size = struct.calcsize(form)
        number = rng.choice(INTERESTING) % 2 ** (8 * size)
        return data[:at] + struct.pack(form, number) + data[at + size :]
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4) if data else 0):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def check(number: int) -> str:
    """Run one case; return how it ended, "sample" or "refused"."""
    rng = random.Random(number)
    if number < len(NAMES):
        name = NAMES[number]
    else:
        name = rng.choice(BOMBS if rng.random() < 0.005 else USUAL)
    data = ORIGINALS[name]
    for _ in range(0 if number < len(NAMES) else rng.choice((1, 1, 1, 2, 4))):
        data = damaged(data, rng)
    called = f"case-{number}.jpg"
    try:
        image = decode(data, name=called, at_least=rng.choice(SIZES))
    except DecodeError as error:
        expect(called in str(error), f"the error does not name the sample: {error}")
        expect("\n" not in str(error), "an error of several lines")
        return "refused"
    expect(image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3, "no RGB image")
    expect(not image.flags.writeable, "an image that can be written to")
    return "sample"
