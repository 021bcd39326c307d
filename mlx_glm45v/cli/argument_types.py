"""What words of the command line may be: numbers within bounds, pages.

For argparse's `type`: each raises ArgumentTypeError with what is wrong.
"""

from __future__ import annotations

import argparse
import math

# What is written out as a list must be short.
_LAST_PAGE = 99_999


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def natural_number(text: str) -> float:
    """A number that is 0 or more."""
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def positive_number(text: str) -> float:
    """A number above 0."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def share_above_0(text: str) -> float:
    """A number above 0 and at most 1."""
    positive_number(text)
    return share(text)


def natural_integer(text: str) -> int:
    """A whole number that is 0 or more."""
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def positive_integer(text: str) -> int:
    """A whole number that is 1 or more."""
    value = natural_integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def seed(text: str) -> int:
    """A whole number that fits 64 bits."""
    value = natural_integer(text)
    if value >= 2**64:
        raise argparse.ArgumentTypeError(f"{text} is not below 2**64")
    return value


def size(text: str) -> int:
    """`12GB` -> bytes."""
    from mlx_glm45v.memory.sizes import parse_bytes

    try:
        return parse_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def pages(text: str) -> tuple[int, ...]:
    """`1-3,7` -> (1, 2, 3, 7)."""
    found: list[int] = []
    for piece in text.split(","):
        first, dash, last = piece.strip().partition("-")
        low = positive_integer(first)
        high = positive_integer(last) if dash else low
        if high < low:
            raise argparse.ArgumentTypeError(f"{piece.strip()} is no range of pages")
        if high > _LAST_PAGE:
            raise argparse.ArgumentTypeError(f"no document has a page {high}")
        found.extend(range(low, high + 1))
    return tuple(found)
