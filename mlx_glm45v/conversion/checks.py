"""Whether a converted folder is what was written: files, shapes, checksums.

Compares a folder with its own checksums.json and config.json, and with a plan where
there is one. Reads every byte once. Does not know what the numbers should be: that is
`comparison`'s.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..checkpoints import Checkpoint
from ..config import Glm4vMoeConfig
from ..errors import CheckpointError
from ..parameters.shapes import parameter_shapes
from ..safetensors_header import TensorInfo
from ..shards import INDEX_NAME, listed
from .beside import (
    CHECKSUMS_NAME,
    CONFIG_NAME,
    Checksums,
    config_document,
    copied_files,
    read_checksums,
)
from .disk import crc_of
from .plan import Plan
from .sources import find_sources

# Told how many bytes were just read, and of what; may raise `Cancelled`.
Advance = Callable[[int, str], None]

_AGAIN = "convert again with --overwrite"


def check_presence(folder: Path) -> Iterator[str]:
    """Weight files that the index tells of and that are not there, with their arrays.

    An index that is lost or not readable is found by its checksum.
    """
    try:
        document = json.loads((folder / INDEX_NAME).read_bytes())
        files = {str(name): str(file) for name, file in document["weight_map"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    for file in sorted(set(files.values())):
        if not (folder / file).is_file():
            names = [name for name in files if files[name] == file]
            yield (
                f"{folder / file} is missing with {len(names)} arrays "
                f"({listed(names, limit=2)}); {_AGAIN}"
            )


def check_shapes(checkpoint: Checkpoint) -> Iterator[str]:
    """What of the headers does not fit config.json, or the index."""
    folder = checkpoint.folder
    yield from (f"{folder}: {warning}" for warning in checkpoint.warnings)
    if checkpoint.format != "mlx":
        yield f"{folder}: the weights are not in the MLX format; {_AGAIN}"
    try:
        config = Glm4vMoeConfig.from_dict(checkpoint.config)
        config.validate()
        found = find_sources(
            checkpoint,
            parameter_shapes(config),
            num_hidden_layers=config.text_config.num_hidden_layers,
        )
    except CheckpointError as error:
        yield str(error)
        return
    if found.dropped:
        yield (
            f"{folder}: {len(found.dropped)} tensors belong to no layer of the config: "
            f"{listed(found.dropped, limit=3)}; {_AGAIN}"
        )
    for module, entry in (checkpoint.quantization or {}).items():
        if isinstance(entry, Mapping) and f"{module}.scales" not in checkpoint.tensors:
            yield (
                f"{folder / CONFIG_NAME} quantises {module}, but no file holds "
                f"{module}.scales; {_AGAIN}"
            )


def check_checksums(checkpoint: Checkpoint, *, advance: Advance) -> Iterator[str]:
    """Which arrays and small files are not what the converter wrote."""
    folder = checkpoint.folder
    try:
        checksums = read_checksums(folder)
    except CheckpointError as error:
        yield str(error)
        return
    yield from _check_small_files(folder, checksums)
    for name in sorted(checksums.arrays.keys() - checkpoint.tensors.keys()):
        yield f"{folder}: {name} is in {CHECKSUMS_NAME}, but in no file; {_AGAIN}"
    by_place = sorted(
        checkpoint.tensors.items(), key=lambda item: (item[1].file, item[1].start)
    )
    for name, info in by_place:
        if name not in checksums.arrays:
            yield f"{info.file}: {name} is not in {CHECKSUMS_NAME}; {_AGAIN}"
        else:
            yield from _check_array(name, info, checksums.arrays[name], advance)


def check_against_plan(folder: Path, plan: Plan) -> Iterator[str]:
    """What differs from that which the same command would write now.

    Small files of the source, config.json entry by entry, sizes and headers.
    """
    source = plan.checkpoint.folder
    for name, content in copied_files(source).items():
        path = folder / name
        if path.is_file() and path.read_bytes() != content:
            yield f"{path} differs from {source / name}; {_AGAIN}"
        elif not path.is_file():
            yield f"{path} is missing, {source / name} is there; {_AGAIN}"
    path = folder / CONFIG_NAME
    content = path.read_bytes()
    wanted = config_document(plan.config)
    if content != wanted:
        entries = [*_differences(json.loads(wanted), json.loads(content))]
        for entry in entries or ["it was written anew with the same values"]:
            yield f"{path} is not what this command writes: {entry}"
    for file in plan.files:
        path = folder / file.name
        if not path.is_file():
            yield f"{path} is missing, this command writes it; {_AGAIN}"
            continue
        with path.open("rb") as stream:
            header = stream.read(len(file.header))
        if path.stat().st_size != file.size or header != file.header:
            yield (
                f"{path} holds other arrays than this command writes; give the flags "
                f"that it was converted with, or {_AGAIN}"
            )


def _check_small_files(folder: Path, checksums: Checksums) -> Iterator[str]:
    for name, wanted in checksums.files.items():
        path = folder / name
        if not path.is_file():
            yield f"{path} is missing; {_AGAIN}"
        elif zlib.crc32(path.read_bytes()) != wanted:
            yield f"{path} was changed after the conversion; {_AGAIN}"


def _check_array(
    name: str, info: TensorInfo, wanted: tuple[int, ...], advance: Advance
) -> Iterator[str]:
    """Each piece against its own checksum; pieces are counted from 0."""
    nbytes = info.nbytes // len(wanted) if wanted else 0
    if not wanted or nbytes * len(wanted) != info.nbytes:
        yield (
            f"{info.file}: {name} of {info.nbytes} bytes has {len(wanted)} checksums; "
            f"{_AGAIN}"
        )
        return
    with info.file.open("rb") as stream:
        for index, checksum in enumerate(wanted):
            found = crc_of(
                stream.fileno(),
                info.start + index * nbytes,
                nbytes,
                advance=lambda count: advance(count, info.file.name),
            )
            if found != checksum:
                part = "expert" if len(info.shape) == 3 else "part"
                which = f", {part} {index}," if len(wanted) > 1 else ""
                yield (
                    f"{info.file}: {name}{which} is not what was written (CRC-32 "
                    f"{found:08x}, not {checksum:08x}); {_AGAIN}"
                )


def _differences(
    wanted: Mapping[str, Any], found: Any, prefix: str = ""
) -> Iterator[str]:
    """`text_config.rope_theta is 5, not 10000`, for each entry."""
    if not isinstance(found, Mapping):
        yield f"{prefix.rstrip('.') or 'it'} is no table"
        return
    for name in sorted({*wanted, *found}):
        before, now = wanted.get(name), found.get(name)
        if isinstance(before, Mapping) and name in found:
            yield from _differences(before, now, f"{prefix}{name}.")
        elif name not in found:
            yield f"{prefix}{name} is missing"
        elif name not in wanted:
            yield f"{prefix}{name} is {now!r}, and should not be there"
        elif before != now:
            yield f"{prefix}{name} is {now!r}, not {before!r}"
