"""Between the values of `conversation` and the columns of the tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ..conversation import Attachment, Box, Conversation, Stats, Turn

TITLE_LENGTH = 48


def clean(text: str) -> str:
    """The text as SQLite can keep it: no NUL, no half of a surrogate pair."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def title_from(text: str, attachments: Sequence[Attachment]) -> str:
    """A first question's first words; its first file's name where it has none."""
    words = text.split()
    if not words:
        return clean(attachments[0].name)[:TITLE_LENGTH] if attachments else ""
    title = ""
    for word in words:
        longer = f"{title} {word}".lstrip()
        if len(longer) > TITLE_LENGTH:
            return clean(f"{title or word[:TITLE_LENGTH]}…")
        title = longer
    return clean(title)


def attachments_text(attachments: Iterable[Attachment]) -> str:
    """Attachments of a draft, in one column."""
    return clean(json.dumps([asdict(one) for one in attachments]))


def boxes_text(boxes: Iterable[Box]) -> str:
    """An answer's boxes, in one column."""
    return json.dumps([asdict(box) for box in boxes])


def stats_text(stats: Stats | None) -> str | None:
    """What an answer took, in one column."""
    return None if stats is None else json.dumps(asdict(stats))


def attachment_columns(turn: int, position: int, one: Attachment) -> tuple[Any, ...]:
    """A row of `attachments`."""
    pages = None if one.pages is None else json.dumps(one.pages)
    detail = (pages, one.max_pixels, one.fps, one.tokens)
    return (turn, position, one.digest, clean(one.name), one.kind, *detail)


def attachment_of(row: sqlite3.Row) -> Attachment:
    """An attachment of a turn."""
    return Attachment(
        digest=row["digest"],
        name=row["name"],
        kind=row["kind"],
        pages=None if row["pages"] is None else tuple(json.loads(row["pages"])),
        max_pixels=row["max_pixels"],
        fps=row["fps"],
        tokens=row["tokens"],
    )


def conversation_of(row: sqlite3.Row) -> Conversation:
    """A conversation as the sidebar lists it."""
    return Conversation(
        id=row["id"],
        title=row["title"],
        updated=row["updated"],
        pinned=bool(row["pinned"]),
        thinking=bool(row["thinking"]),
        draft=row["draft"],
        draft_attachments=tuple(
            Attachment(**{**one, "pages": one["pages"] and tuple(one["pages"])})
            for one in json.loads(row["draft_attachments"])
        ),
    )


def turn_of(
    row: sqlite3.Row, attachments: tuple[Attachment, ...], variant: int, variants: int
) -> Turn:
    """A turn with what other tables know of it."""
    return Turn(
        id=row["id"],
        parent=row["parent"],
        role=row["role"],
        text=row["text"],
        thinking=row["thinking"],
        thinking_seconds=row["thinking_seconds"],
        attachments=attachments,
        # Most have none, and there may be thousands of turns.
        boxes=()
        if row["boxes"] == "[]"
        else tuple(Box(**box) for box in json.loads(row["boxes"])),
        state=row["state"],
        error=row["error"],
        stats=None if row["stats"] is None else Stats(**json.loads(row["stats"])),
        model=row["model"],
        created=row["created"],
        variant=variant,
        variants=variants,
    )
