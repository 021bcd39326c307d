"""Sizes as people write and read them."""

from __future__ import annotations

import re

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"\s*(\d{1,18}(?:\.\d{1,18})?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)


def parse_bytes(size: int | str) -> int:
    """`"12GB"`, `"900 MB"`, `"1.5GiB"` or a number -> bytes. Raises ValueError."""
    found = _SIZE.fullmatch(str(size))
    if found is None:
        raise ValueError(f"{size!r} is no size; write it like 12GB or 900MB")
    number, unit, binary = found.groups()
    if binary and not unit:
        raise ValueError(f"{size!r} is no size; write it like 12GB or 900MB")
    power = "kmgt".find(unit.lower()) + 1 if unit else 0
    return int(float(number) * (2 ** (10 * power) if binary else _UNITS[unit.lower()]))


def gigabytes(nbytes: int) -> str:
    """`61.9 GB`, decimal; `37.2 MB` and `9.6 kB` below a tenth of the next unit."""
    if nbytes < 100_000:
        return f"{nbytes / 1e3:,.1f} kB"
    if nbytes < 100_000_000:
        return f"{nbytes / 1e6:,.1f} MB"
    return f"{nbytes / 1e9:,.1f} GB"
