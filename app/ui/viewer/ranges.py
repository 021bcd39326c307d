"""Page numbers as people write them: "1-3, 7". Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from PySide6.QtCore import QCoreApplication

from ..words import grouped

_PIECE = re.compile(r"(\d{1,9})(?:\s*[-\u2013]\s*(\d{1,9}))?")


def parse_pages(text: str, count: int) -> tuple[int, ...] | None:
    """The pages of `count` that a text names, rising, each once; None for all of them.

    Raises:
        ValueError: it names none that are there; says which, in plain words.
    """
    if not text.strip():
        return None
    found: set[int] = set()
    for piece in re.split(r"[,;]", text):
        if not piece.strip():
            continue
        match = _PIECE.fullmatch(piece.strip())
        if match is None:
            words = _tr("“{text}” is no page. Write numbers like 1-3, 7.")
            raise ValueError(words.format(text=_short(piece.strip())))
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        for page in (first, last):
            if not 1 <= page <= count:
                raise ValueError(_beyond(page, count))
        if last < first:
            words = _tr("{first}-{last} runs backwards. Write {last}-{first}.")
            raise ValueError(words.format(first=first, last=last))
        found.update(range(first, last + 1))
    if not found:
        raise ValueError(_tr("No page is named. Write numbers like 1-3, 7."))
    return None if len(found) == count else tuple(sorted(found))


def pages_text(pages: Iterable[int] | None) -> str:
    """Pages as they are written: neighbours together, nothing for all of them."""
    runs: list[list[int]] = []
    for page in sorted(set(pages or ())):
        if runs and page == runs[-1][1] + 1:
            runs[-1][1] = page
        else:
            runs.append([page, page])
    return ", ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in runs
    )


def _beyond(page: int, count: int) -> str:
    if count == 1:
        return _tr("There is no page {page}; the document has one.").format(page=page)
    words = _tr("There is no page {page}; they go from 1 to {count}.")
    return words.format(page=page, count=grouped(count))


def _short(text: str) -> str:
    return text if len(text) <= 20 else f"{text[:20]}…"


def _tr(text: str) -> str:
    return QCoreApplication.translate("ranges", text)
