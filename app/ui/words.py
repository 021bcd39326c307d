"""Sizes, rates and times as people read them. Knows no widgets."""

from __future__ import annotations

import re
from html import escape

from PySide6.QtCore import QCoreApplication, QLocale


def size_words(nbytes: float) -> str:
    """`61.9 GB`, `5.6 MB`: decimal, as file managers and shops count."""
    if nbytes >= 100_000_000:
        return f"{decimal(nbytes / 1e9)} GB"
    if nbytes >= 100_000:
        return f"{decimal(nbytes / 1e6)} MB"
    return f"{decimal(nbytes / 1e3)} kB"


def memory_words(nbytes: float) -> str:
    """`96 GB`, `1.1 GB`, `11 MB`: binary, as memory is sold."""
    size = nbytes / 1024**3
    if size < 0.1:
        return f"{decimal(nbytes / 1024**2, 0)} MB"
    return f"{decimal(size, 1 if size < 10 else 0)} GB"


def time_words(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 20 min`: as exact as an estimate is."""
    whole = max(1, round(seconds))
    if whole < 60:
        return _tr("{} s").format(whole)
    minutes = round(whole / 60)
    if minutes < 60:
        return _tr("{} min").format(minutes)
    return _tr("{} h {} min").format(minutes // 60, minutes % 60)


def grouped(count: int) -> str:
    """A count with its thousands apart, even where the system names no language."""
    return _locale().toString(count)


def decimal(value: float, places: int = 1) -> str:
    """A number with so many decimal places, in the system's way."""
    return _locale().toString(float(value), "f", places)


def shortest(value: float) -> str:
    """A number with as many decimal places as it needs: `4`, `4.5`."""
    return _locale().toString(float(value), "g")


def breakable(text: str) -> str:
    """The text with places where a line may break in paths and long names."""
    return re.sub(r"([/\\_.-]|\w{24})(?=\w)", "\\1\u200b", text)


def plain_tip(text: str) -> str:
    """The text as a tooltip that shows it as it is, though it looks like HTML."""
    if "<" not in text and "&" not in text:
        return text
    return f'<p style="white-space:pre-wrap">{escape(text)}</p>'


def _locale() -> QLocale:
    locale = QLocale()
    options = locale.numberOptions() & ~QLocale.NumberOption.OmitGroupSeparator
    locale.setNumberOptions(options)
    return locale


def _tr(text: str) -> str:
    return QCoreApplication.translate("words", text)
