"""What the viewer shows, and the words for it. Knows no files and no worker."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from PySide6.QtCore import QCoreApplication

from ...conversation import AttachmentKind
from ..words import grouped


@dataclass(frozen=True)
class ViewerValue:
    """One attachment, as much of it as is known so far.

    `size` and `seen` are (width, height) in pixels: its own, and what the model gets of
    it. `tokens` is None while nobody has counted, `length` a video's seconds, `seconds`
    those of the frames that the model sees. `numbers` are a document's pages (1-based)
    that can be looked at, `pages` those of them that go to the model (all when None).
    `detail` and `fps` are its budgets where it has its own. `problem` is why it cannot
    be shown. Only what is `editable` offers to change anything.
    """

    name: str
    kind: AttachmentKind
    size: tuple[int, int] | None = None
    seen: tuple[int, int] | None = None
    tokens: int | None = None
    counting: bool = False
    length: float | None = None
    seconds: tuple[float, ...] = ()
    numbers: tuple[int, ...] = ()
    pages: tuple[int, ...] | None = None
    detail: str = "normal"
    fps: float | None = None
    problem: str | None = None
    editable: bool = False

    @cached_property
    def captions(self) -> tuple[str, ...]:
        """What stands under each frame or page."""
        if self.kind == "video":
            return tuple(clock(second) for second in self.seconds)
        return tuple(str(number) for number in self.numbers)

    @cached_property
    def chosen(self) -> frozenset[int] | None:
        """The places of the pages that go to the model, None for all."""
        if self.pages is None or self.kind != "document":
            return None
        wanted = set(self.pages)
        if wanted.issuperset(self.numbers):
            return None
        return frozenset(n for n, page in enumerate(self.numbers) if page in wanted)


def clock(seconds: float) -> str:
    """`0:03.5`, `1:02:07.0`: as exact as two frames of one second need."""
    tenths = round(seconds * 10)
    whole, tenth = divmod(tenths, 10)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minute:02}:{second:02}.{tenth}"
    return f"{minute}:{second:02}.{tenth}"


def facts(value: ViewerValue) -> str:
    """The line under the name: how large it is, and what it takes of the context."""
    parts = [*_extent(value)]
    if value.counting:
        parts.append(_tr("counting tokens…"))
    elif value.tokens is not None:
        parts.append(_many(value.tokens, _tr("1 token"), _tr("{count} tokens")))
    return " · ".join(parts)


def spoken_cell(value: ViewerValue, place: int) -> str:
    """What a screen reader says of one frame or page."""
    caption = value.captions[place]
    if value.kind == "video":
        return _tr("Frame {place} of {count}, at {time}").format(
            place=grouped(place + 1), count=grouped(len(value.captions)), time=caption
        )
    if value.chosen is not None and place not in value.chosen:
        return _tr("Page {number}, left out").format(number=caption)
    return _tr("Page {number}").format(number=caption)


def _extent(value: ViewerValue) -> list[str]:
    match value.kind:
        case "image":
            return _picture_extent(value)
        case "video":
            length = value.length
            parts = [] if length is None else [clock(length).partition(".")[0]]
            if value.seconds:
                count = len(value.seconds)
                parts.append(_many(count, _tr("1 frame"), _tr("{count} frames")))
            return parts
        case _:
            return _document_extent(value)


def _picture_extent(value: ViewerValue) -> list[str]:
    parts = []
    if value.size is not None:
        parts.append(_pixels(*value.size))
    if value.seen is not None and value.seen != value.size:
        parts.append(_tr("the model sees {pixels}").format(pixels=_pixels(*value.seen)))
    return parts


def _document_extent(value: ViewerValue) -> list[str]:
    count = len(value.numbers)
    if not count:
        return []
    whole = _many(count, _tr("1 page"), _tr("{count} pages"))
    if value.chosen is None:
        return [whole]
    part = _tr("{part} of {whole}")
    return [part.format(part=grouped(len(value.chosen)), whole=whole)]


def _pixels(width: int, height: int) -> str:
    return f"{grouped(width)} \u00d7 {grouped(height)} px"


def _many(count: int, one: str, several: str) -> str:
    return one if count == 1 else several.format(count=grouped(count))


def _tr(text: str) -> str:
    return QCoreApplication.translate("viewer", text)
