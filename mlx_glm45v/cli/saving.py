"""Conversations and replies in writing: JSON for programs, Markdown for people."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlx_glm45v.messages import ImagePart, Message, Part, TextPart, VideoPart
from mlx_glm45v.replies import Reply


def save_conversation(messages: Sequence[Message], path: Path) -> None:
    """Writes `messages` to `path`, as JSON when it ends in .json, else as Markdown.

    The file appears whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    if path.suffix.lower() == ".json":
        rows = [_as_json(message) for message in messages]
        text = json.dumps(rows, ensure_ascii=False, indent=2) + "\n"
    else:
        text = "\n".join(_as_markdown(message) for message in messages)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def reply_as_json(reply: Reply, *, model: str) -> str:
    """One reply as a JSON document."""
    document = {
        "model": model,
        **reply_row(reply),
        "tool_calls": [asdict(call) for call in reply.tool_calls],
        "media": [asdict(item) for item in reply.media],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def reply_row(reply: Reply) -> dict[str, Any]:
    """What was said in one reply, where, and what it took, as plain values."""
    usage = asdict(reply.usage)
    usage["tokens_per_second"] = reply.usage.tokens_per_second
    return {
        "answer": reply.answer,
        "thinking": reply.thinking,
        "boxes": [asdict(box) for box in reply.boxes],
        "finish_reason": reply.reason,
        "usage": usage,
    }


def _as_json(message: Message) -> dict[str, Any]:
    row: dict[str, Any] = {
        "role": message.role,
        "content": [
            {"type": "text", "text": part.text}
            if isinstance(part, TextPart)
            else {"type": _kind(part), "source": str(part.source)}
            for part in message.parts
        ],
    }
    if message.thinking is not None:
        row["thinking"] = message.thinking
    if message.tool_calls:
        row["tool_calls"] = [asdict(call) for call in message.tool_calls]
    return row


def _as_markdown(message: Message) -> str:
    lines = [f"## {message.role.capitalize()}", ""]
    if message.thinking:
        quoted = message.thinking.strip().replace("\n", "\n> ")
        lines += [f"> {quoted}", ""]
    for part in message.parts:
        if isinstance(part, TextPart):
            lines += [part.text.strip(), ""]
        else:
            mark = "!" if isinstance(part, ImagePart) else ""
            lines += [f"{mark}[{_kind(part)}](<{part.source}>)", ""]
    return "\n".join(lines)


def _kind(part: Part) -> str:
    if isinstance(part, ImagePart):
        return "image"
    return "video" if isinstance(part, VideoPart) else "document"
