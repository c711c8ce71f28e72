"""Decimal numbers out of JSON text, many at a time, in NumPy.

A number of up to eight characters is one machine word: the dot is shifted out, the digits are
added up in pairs, and the result is divided by a power of ten. Both are exact in float64, so the
value is the nearest float64, the same as ``float(text)``. Whatever is longer or looks unusual is
held against the grammar of JSON and converted one by one.

Pure and thread-safe: no state, inputs are never written.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

# A JSON number; its groups are what makes it a fraction.
_FORM = re.compile(rb"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")

_WORD = 8  # characters
_AT_ONCE = 1 << 14  # numbers: what fits the processor's cache


def _every_byte(value: int) -> np.uint64:
    return np.uint64(int.from_bytes(bytes([value] * _WORD)))


_ZEROS, _DOTS = _every_byte(ord("0")), _every_byte(ord("."))
_LOWEST, _HIGHEST = _every_byte(0x01), _every_byte(0x80)
_UPPER_HALVES, _SIXES, _THREES = _every_byte(0xF0), _every_byte(0x06), _every_byte(0x33)
_BYTE, _FIRST_TWO = np.uint64(0xFF), np.uint64(0xF0FF)
_DOT_LAST = np.uint64(1 << 63)
_MINUS, _DOT = np.uint64(ord("-")), np.uint64(ord("."))
_ONE, _SEVEN, _BITS = np.uint64(1), np.uint64(7), np.uint64(64)
_POWERS = 10.0 ** np.arange(_WORD + 1)


def parse_numbers(
    text: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read the numbers that lie between given places of a text.

    Args:
        text: JSON text in UTF-8.
        starts: int64 (N,), where each number starts, in bytes.
        ends: int64 (N,), behind its last character.

    Returns:
        The values, float64 (N,), infinite beyond its range; and which are whole numbers by their
        form (no fraction, no exponent), bool (N,).

    Raises:
        ValueError: what lies between is no JSON number.
    """
    padded = np.frombuffer(text + bytes(_WORD), np.uint8)
    # A word starts at every character, so that one look-up fetches a number.
    words = np.ndarray((len(text) + 1,), "<u8", padded, strides=(1,))
    values, whole = np.empty(len(starts)), np.empty(len(starts), bool)
    for first in range(0, len(starts), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        begin, end = starts[part], ends[part]
        unsure = _parse(words[begin], (end - begin).astype(np.uint64), values[part], whole[part])
        for i in (np.flatnonzero(unsure) + first).tolist():
            token = text[starts[i] : ends[i]]
            form = _FORM.fullmatch(token)
            if form is None:
                raise ValueError(f"not a number: {token[:60]!r}")
            values[i] = float(token)
            whole[i] = form.lastindex is None
    return values, whole


def _parse(
    words: Words, lengths: Words, values: NDArray[np.float64], whole: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Fill in values, and which are whole; return which must be looked at again."""
    negative = words & _BYTE == _MINUS
    signs = negative.any()
    if signs:
        words >>= np.where(negative, np.uint64(8), np.uint64(0))
        lengths -= negative
    values[:], whole[:], unsure = _unsigned(words, lengths)
    if signs:
        np.negative(values, where=negative, out=values)
    return unsure


def _unsigned(
    first: Words, lengths: Words
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return values, which are whole, and which must be looked at again.

    Args:
        first: each number's first characters, the first of all in the lowest byte.
        lengths: in characters.
    """
    # An empty number wraps round here and counts as too long.
    unsure = lengths - _ONE > _SEVEN
    # JSON has no 01 and no .5; a digit is the only character 3x that can follow.
    unsure |= first & _FIRST_TWO == np.uint64(0x3030)
    unsure |= first & _BYTE == _DOT
    bits = lengths << np.uint64(3)
    # The last character moves to the highest byte, zeros fill up from below.
    digits = (first << (_BITS - bits)) | (_ZEROS >> bits)
    dot = digits ^ _DOTS
    dot = (dot - _LOWEST) & ~dot & _HIGHEST
    dot &= ~dot + _ONE  # the first dot only: a second one is no digit and is found below
    unsure |= dot == _DOT_LAST
    whole = dot == 0
    fraction = ~((dot << _ONE) - _ONE)
    integer = digits & ((dot >> _SEVEN) - _ONE)
    shifted = (integer << np.uint64(8)) | np.uint64(ord("0")) | (digits & fraction)
    if whole.any():
        fraction[whole] = 0
        shifted[whole] = digits[whole]
    unsure |= _not_digits(shifted)
    places = np.bitwise_count(fraction) >> np.uint8(3)
    return _add_up(shifted) / _POWERS[places], whole, unsure


def _not_digits(words: Words) -> NDArray[np.bool_]:
    """Tell which words are not eight decimal digits."""
    over = ((words + _SIXES) & _UPPER_HALVES) >> np.uint64(4)
    wrong: NDArray[np.bool_] = ((words & _UPPER_HALVES) | over) != _THREES
    return wrong


def _add_up(words: Words) -> NDArray[np.float64]:
    """Return the numbers that eight decimal digits each stand for, the lowest byte first."""
    pairs = words - _ZEROS
    pairs = pairs * np.uint64(10) + (pairs >> np.uint64(8))
    every_fourth = np.uint64(0x000000FF000000FF)
    even = (pairs & every_fourth) * np.uint64(100 + (1_000_000 << 32))
    odd = ((pairs >> np.uint64(16)) & every_fourth) * np.uint64(1 + (10_000 << 32))
    return ((even + odd) >> np.uint64(32)).astype(np.float64)
