"""What an attachment card shows, and the words for it.

Knows nothing of files or of the model: whoever counted the tokens says how many.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QPixmap

from ...conversation import AttachmentKind
from ..words import grouped


@dataclass(frozen=True)
class CardValue:
    """One attachment in the composer.

    `key` tells it from the others and stays the same while it is moved or counted
    again. `length` is a video's seconds, `pages` a document's count. `tokens` is None
    while nobody has counted, `problem` one line why the file cannot be used.
    """

    key: str
    name: str
    kind: AttachmentKind
    thumbnail: QPixmap | None = None
    tokens: int | None = None
    length: float | None = None
    pages: int | None = None
    problem: str | None = None
    reading: bool = False


def chip_text(value: CardValue) -> str:
    """What stands on the thumbnail: "0:12" of a video, "3 p." of a document."""
    if value.length is not None:
        seconds = round(value.length)
        hours, rest = divmod(seconds, 3600)
        if hours:
            return f"{hours}:{rest // 60:02}:{rest % 60:02}"
        return f"{rest // 60}:{rest % 60:02}"
    if value.pages is not None:
        return QCoreApplication.translate("CardValue", "{count} p.").format(
            count=grouped(value.pages)
        )
    return ""


def cost_text(value: CardValue) -> str:
    """The line under the name: its tokens, or that they are being counted."""
    if value.reading:
        return QCoreApplication.translate("CardValue", "Reading…")
    if value.tokens is None:
        return ""
    return QCoreApplication.translate("CardValue", "{count} tok").format(
        count=grouped(value.tokens)
    )


def spoken(value: CardValue) -> str:
    """What a screen reader says."""
    kinds = {
        "image": QCoreApplication.translate("CardValue", "picture"),
        "video": QCoreApplication.translate("CardValue", "video"),
        "document": QCoreApplication.translate("CardValue", "document"),
    }
    extent = chip_text(value)
    if value.length is None and value.pages is not None:
        extent = QCoreApplication.translate("CardValue", "{count} pages").format(
            count=grouped(value.pages)
        )
    parts = [value.name, kinds[value.kind], extent]
    if value.problem is not None:
        parts.append(value.problem)
    elif value.reading:
        parts.append(cost_text(value))
    elif value.tokens is not None:
        parts.append(
            QCoreApplication.translate("CardValue", "{count} tokens").format(
                count=grouped(value.tokens)
            )
        )
    return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class WaitingValue:
    """A message that waits: its number, its words and how many files it has."""

    id: int
    text: str
    files: int = 0
