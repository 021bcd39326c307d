"""A conversation as files for other programs. Knows values and folders, no database.

Writes beside what is there, never over it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from ..conversation import Attachment, Conversation, Turn
from .attachments import Media
from .errors import StoreError

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u200e\u200f\u202a-\u202e]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
# File systems count bytes, 255 at most; a number and a suffix come behind.
_LONGEST = 120


def export_markdown(
    conversation: Conversation, turns: Sequence[Turn], media: Media, folder: Path
) -> Path:
    """A new folder in `folder` with the turns as Markdown and their media beside it.

    Returns:
        The Markdown file.

    Raises:
        StoreError: it could not be written.
    """
    title = safe_name(conversation.title)
    try:
        place = _new_folder(folder, title)
        lines = [f"# {conversation.title or 'Conversation'}", ""]
        for turn in turns:
            lines += [f"## {'You' if turn.role == 'user' else turn.model or 'GLM'}", ""]
            for attachment in turn.attachments:
                lines += [_link(attachment, media, place), ""]
            if turn.thinking:
                quoted = turn.thinking.strip().replace("\n", "\n> ")
                lines += [f"> {quoted}", ""]
            lines += [turn.text, ""]
            if turn.error:
                lines += [f"*{turn.error}*", ""]
        path = place / f"{title}.md"
        path.write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"The export failed: {error.strerror or error}") from error
    return path


def export_json(
    conversation: Conversation, turns: Sequence[Turn], folder: Path
) -> Path:
    """A new file in `folder` with everything that is known of the turns.

    Raises:
        StoreError: it could not be written.
    """
    known = asdict(conversation) | {"turns": [asdict(turn) for turn in turns]}
    text = json.dumps(known, ensure_ascii=False, indent=2)
    try:
        for name in _numbered(safe_name(conversation.title)):
            path = folder / f"{name}.json"
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise StoreError(f"The export failed: {error.strerror or error}") from error
    raise AssertionError("numbers do not end")


def safe_name(title: str) -> str:
    """The title as a file name that every system takes."""
    name = _FORBIDDEN.sub(" ", title.encode("utf-8", "replace").decode())
    name = name.encode()[:_LONGEST].decode(errors="ignore")
    name = " ".join(name.split()).strip(". ")
    if _RESERVED.match(name):
        name = f"_{name}"
    return name or "Conversation"


def _link(attachment: Attachment, media: Media, place: Path) -> str:
    """Copy the file and name it in Markdown; its name alone where it is gone."""
    label = re.sub(r"([\[\]\\])", r"\\\1", " ".join(attachment.name.split()))
    try:
        source = media.file_of(attachment)
    except StoreError:
        return f"{label} (missing)"
    stem = safe_name(Path(attachment.name).stem)
    target = place / "media" / f"{attachment.digest[:8]} {stem}{source.suffix}"
    target.parent.mkdir(exist_ok=True)
    if not target.exists():
        shutil.copyfile(source, target)
    mark = "!" if attachment.kind == "image" else ""
    return f"{mark}[{label}](media/{quote(target.name)})"


def _new_folder(folder: Path, title: str) -> Path:
    for name in _numbered(title):
        try:
            (folder / name).mkdir()
        except FileExistsError:
            continue
        return folder / name
    raise AssertionError("numbers do not end")


def _numbered(title: str) -> Iterator[str]:
    yield title
    number = 2
    while True:
        yield f"{title} {number}"
        number += 1
