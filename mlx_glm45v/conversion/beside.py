"""The small files of a converted folder: configs, tokenizer, index, checksums, card.

Knows which of the source's files go along unchanged. Does not know weights.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, ConversionError
from .disk import sync_file

CONFIG_NAME = "config.json"
CARD_NAME = "README.md"
CHECKSUMS_NAME = "checksums.json"
# What readers of either format look for beside the weights.
COPIED = (
    "LICENSE",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "video_preprocessor_config.json",
    "vocab.json",
)


def copied_files(folder: Path) -> dict[str, bytes]:
    """Content of the source's small files, those that it has."""
    found: dict[str, bytes] = {}
    for name in COPIED:
        path = folder / name
        if not path.is_file():
            continue
        try:
            found[name] = path.read_bytes()
        except OSError as error:
            raise CheckpointError(
                f"{path} cannot be read ({error.strerror}); bring it back and start "
                "the conversion again, it goes on where it stopped"
            ) from error
    return found


def config_document(config: Mapping[str, Any]) -> bytes:
    """`config.json` as bytes."""
    return json.dumps(config, indent=4, ensure_ascii=False).encode() + b"\n"


@dataclass(frozen=True)
class Checksums:
    """CRC-32 of each array's data and of each small file, by name.

    An array that was written in n pieces (experts) has n numbers, of n equal parts.
    """

    arrays: Mapping[str, tuple[int, ...]]
    files: Mapping[str, int]


def checksums_document(
    checksums: Mapping[str, Sequence[int]], files: Mapping[str, bytes] | None = None
) -> bytes:
    """`checksums.json` of arrays, and of small files by their content."""
    table = {name: zlib.crc32(content) for name, content in (files or {}).items()}
    rows = {name: list(checksums[name]) for name in sorted(checksums)}
    lines = ",\n".join(f"{json.dumps(name)}: {row}" for name, row in rows.items())
    head = f'"algorithm": "crc32", "files": {json.dumps(table, sort_keys=True)}'
    return f'{{{head}, "arrays": {{\n{lines}\n}}}}\n'.encode()


def read_checksums(folder: Path) -> Checksums:
    """What `checksums_document` wrote; raises `CheckpointError` when it is lost."""
    path = folder / CHECKSUMS_NAME
    try:
        document = json.loads(path.read_bytes())
        arrays = {name: tuple(row) for name, row in document["arrays"].items()}
        return Checksums(arrays, dict(document["files"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}); only a folder that this converter "
            "finished has one"
        ) from error


def write_files(folder: Path, files: Mapping[str, bytes]) -> Iterator[str]:
    """Write small files, each of them there as a whole or not at all; their names."""
    for name, content in files.items():
        temporary = folder / f".{name}.part"
        try:
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                sync_file(stream.fileno())
            temporary.replace(folder / name)
        except OSError as error:
            raise ConversionError(
                f"{folder / name} cannot be written ({error.strerror}); make room and "
                "start the conversion again, it goes on where it stopped"
            ) from error
        yield name
