"""The lines of a batch: JSON objects in, questions or what is wrong with them out.

Knows the fields and how a line is told from another. Does not open media or load
models.
"""

from __future__ import annotations

import hashlib
import json
import os
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlx_glm45v.cli.arguments import default_question, media_part
from mlx_glm45v.errors import Glm45vError
from mlx_glm45v.messages import Message, Part, TextPart

_MEDIA = {"images": "image", "videos": "video", "documents": "document"}
FIELDS = ("id", "prompt", *_MEDIA, "system", "thinking")
# What an answer depends on besides its line.
_SETTINGS = (
    *("model", "system", "thinking", "thinking_budget", "max_tokens", "max_kv_size"),
    *("temp", "top_p", "top_k", "min_p", "repetition_penalty", "seed"),
    *("repetition_run", "kv_bits", "fps", "max_pixels", "pages"),
)


@dataclass(frozen=True)
class BatchLine:
    """Line `number` of the file, counted from 1: a conversation, or its `error`.

    `digest` is of everything that is written in it, of the settings, and of the size
    and the time of change of the files that it names: an answer to a line of the same
    digest is an answer to this one. `question` is the digest without those files: it
    tells lines whose media alone were changed from those of another file.
    """

    number: int
    digest: str
    question: str
    id: str | int | None = None
    messages: tuple[Message, ...] = ()
    thinking: bool | None = None
    error: str | None = None


class _Wrong(ValueError):
    """What is wrong with a line."""


def read_lines(arguments: Namespace) -> list[BatchLine]:
    """All lines of the file that `--batch` names; blank ones are none.

    Paths are taken from the file's folder on.

    Raises:
        Glm45vError: the file cannot be read.
    """
    path = Path(arguments.batch)
    try:
        written = path.read_bytes().split(b"\n")
    except OSError as error:
        raise Glm45vError(f"{path} cannot be read: {error.strerror}") from error
    settings = json.dumps({name: getattr(arguments, name) for name in _SETTINGS})
    seen: dict[str | int, int] = {}
    lines: list[BatchLine] = []
    for number, raw in enumerate(written, start=1):
        if not raw.strip():
            continue
        line = _line(number, raw, settings, arguments, path.parent)
        if line.id is not None:
            first = seen.setdefault(line.id, number)
            if first != number and line.error is None:
                wrong = f"the id {line.id!r} is line {first}'s already"
                # Its digest may be that of the line which has the answer.
                digest = f"{line.digest}+"
                line = BatchLine(number, digest, line.question, line.id, error=wrong)
        lines.append(line)
    return lines


def _line(
    number: int, raw: bytes, settings: str, arguments: Namespace, folder: Path
) -> BatchLine:
    name: str | int | None = None
    written = settings.encode() + raw.strip()
    question = _digest(written)
    try:
        row = _parsed(raw)
        name = _id(row)
        unknown = sorted(set(row) - set(FIELDS))
        if unknown:
            raise _Wrong(f"unknown field {unknown[0]!r}; there are {', '.join(FIELDS)}")
        thinking = _typed(row, "thinking", bool, "true or false")
        messages = tuple(_messages(row, arguments, folder))
        return BatchLine(
            number,
            _digest(written, *map(_stamp, _files(messages))),
            question,
            name,
            messages=messages,
            thinking=arguments.thinking if thinking is None else thinking,
        )
    except _Wrong as error:
        return BatchLine(number, question, question, name, error=str(error))


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:16]


def _files(messages: Iterable[Message]) -> Iterator[str]:
    """The paths that are named, in their order."""
    for part in (part for message in messages for part in message.parts):
        if not isinstance(part, TextPart) and not _is_address(part.source):
            yield part.source


def _stamp(path: str) -> bytes:
    """Tells a file that was replaced; reading them all would take as long as a run."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return b"none"
    return f"{status.st_size} {status.st_mtime_ns}".encode()


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        row = json.loads(raw.decode("utf-8"))
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise _Wrong(f"not UTF-8 (byte {error.start + 1})") from error
    except UnicodeEncodeError as error:
        raise _Wrong("half of a character that takes two \\u escapes") from error
    except json.JSONDecodeError as error:
        raise _Wrong(f"not JSON: {error.msg} (column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"not JSON that can be read: {error}") from error
    if not isinstance(row, dict):
        raise _Wrong('not a JSON object, such as {"prompt": "...", "images": ["..."]}')
    return row


def _id(row: dict[str, Any]) -> str | int | None:
    name = row.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int | None):
        raise _Wrong("id is text or a whole number")
    return name


def _typed(row: dict[str, Any], field: str, kind: type, what: str) -> Any:
    value = row.get(field)
    if value is not None and not isinstance(value, kind):
        raise _Wrong(f"{field} is {what}")
    return value


def _messages(
    row: dict[str, Any], arguments: Namespace, folder: Path
) -> Iterator[Message]:
    parts: list[Part] = []
    for field, kind in _MEDIA.items():
        sources = _typed(row, field, list, "a list of paths and addresses") or []
        for source in sources:
            if not isinstance(source, str) or not source:
                raise _Wrong(f"{field} is a list of paths and addresses")
            parts.append(media_part(kind, _placed(source, folder), arguments))
    prompt = (_typed(row, "prompt", str, "text") or "").strip()
    if not prompt and not parts:
        raise _Wrong("nothing to ask: give a prompt, images, videos or documents")
    system = _typed(row, "system", str, "text")
    if system := arguments.system if system is None else system:
        yield Message("system", system)
    yield Message("user", [*parts, TextPart(prompt or default_question(parts))])


def _placed(source: str, folder: Path) -> str:
    return source if _is_address(source) else str(folder / source)


def _is_address(source: str) -> bool:
    return "://" in source or source.startswith("data:")
