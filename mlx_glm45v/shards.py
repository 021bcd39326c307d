"""The safetensors files of one folder, taken together and compared with their index.

Knows file names, headers and `model.safetensors.index.json`. The files decide; where
the index disagrees with them it says so, because published indexes have been wrong.
Does not know configs, models or what the tensors mean.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .errors import CheckpointError
from .safetensors_header import Header, TensorInfo, read_header

INDEX_NAME = "model.safetensors.index.json"
# What downloads, copies and conversions leave behind while they are not finished.
UNFINISHED = ("*.incomplete", "*.part", "*.partial", "*.aria2", "*.journal")
_NUMBERED = re.compile(r"(?P<stem>.*)-(?P<number>\d+)-of-(?P<count>\d+)\.safetensors")

Format = Literal["hf", "mlx"]


@dataclass(frozen=True)
class Shards:
    """Every tensor of a folder by name, the layout's format and what looked odd."""

    tensors: Mapping[str, TensorInfo]
    format: Format
    warnings: tuple[str, ...]


def read_shards(folder: Path) -> Shards:
    """Read the headers of all `*.safetensors` of a folder.

    Raises `CheckpointError` for an unfinished folder, missing or damaged files, a
    tensor that lies in two files, and headers that name different formats.
    """
    check_finished(folder)
    files = [
        file for file in sorted(folder.glob("*.safetensors")) if file.name[0] != "."
    ]
    if not files:
        raise CheckpointError(
            f"{folder} holds no *.safetensors file; give the folder of the weights"
        )
    # Before any header is read: what is missing matters more than what is damaged.
    _check_numbering(folder, [file.name for file in files])
    return join_headers(folder, {file: read_header(file) for file in files})


def join_headers(folder: Path, headers: Mapping[Path, Header]) -> Shards:
    """Take headers together that were read; `folder` holds the index, if there is one.

    The weight files may lie elsewhere, or nowhere yet. Raises as `read_shards` does.
    """
    _check_numbering(folder, [file.name for file in headers])
    tensors = _join(headers)
    index = _read_index(folder)
    return Shards(
        tensors=tensors,
        format=_format(headers),
        warnings=_compare(folder, index, tensors, headers) if index else (),
    )


def check_finished(folder: Path) -> None:
    """Raise `CheckpointError` when a download or conversion is not done with a folder.

    Before anything else is looked at: what it lacks is no fault of its files.
    """
    unfinished = sorted(
        found.name for ending in UNFINISHED for found in folder.glob(ending)
    )
    if unfinished:
        raise CheckpointError(
            f"{folder} is not finished: {listed(unfinished)} is still there; let the "
            "download or conversion that writes it run to its end (starting it again "
            "goes on where it stopped)"
        )


def listed(names: Iterable[str], *, limit: int = 10) -> str:
    """`a, b, c and 7 more`: the first `limit` names and how many are left out."""
    names = list(names)
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")


def _check_numbering(folder: Path, names: list[str]) -> None:
    """`model-00003-of-00012.safetensors` says itself how many there must be."""
    series: dict[tuple[str, str], set[int]] = defaultdict(set)
    for name in names:
        if match := _NUMBERED.fullmatch(name):
            series[match["stem"], match["count"]].add(int(match["number"]))
    for (stem, count), numbers in series.items():
        # The Hub counts from 1; a few tools count from 0.
        first = 0 if 0 in numbers else 1
        missing = [
            f"{stem}-{number:0{len(count)}d}-of-{count}.safetensors"
            for number in range(first, first + int(count))
            if number not in numbers
        ]
        if missing:
            raise CheckpointError(
                f"{folder} lacks {len(missing)} of {int(count)} weight files: "
                f"{listed(missing)}; fetch them as well"
            )


def _join(headers: Mapping[Path, Header]) -> dict[str, TensorInfo]:
    tensors: dict[str, TensorInfo] = {}
    for file, header in headers.items():
        for name, info in header.tensors.items():
            if name in tensors:
                raise CheckpointError(
                    f"{name} lies in {tensors[name].file} and in {file}; keep the "
                    "files of one checkpoint only"
                )
            tensors[name] = info
    return tensors


def _format(headers: Mapping[Path, Header]) -> Format:
    """MLX writes `format: mlx`; Hugging Face writes `pt`, some tools nothing."""
    said = {file: header.metadata.get("format") for file, header in headers.items()}
    mlx = [file.name for file, name in said.items() if name == "mlx"]
    other = [file.name for file, name in said.items() if name != "mlx"]
    if mlx and other:
        raise CheckpointError(
            f"{next(iter(headers)).parent} mixes files of the MLX format "
            f"({listed(mlx, limit=3)}) with others ({listed(other, limit=3)}); keep "
            "the files of one checkpoint only"
        )
    return "mlx" if mlx else "hf"


def _read_index(folder: Path) -> dict[str, str] | None:
    path = folder / INDEX_NAME
    if not path.exists():
        return None
    try:
        document: Any = json.loads(path.read_bytes())
        weight_map = document["weight_map"]
        if not all(type(item) is str for item in (*weight_map, *weight_map.values())):
            raise TypeError("weight_map must map tensor names to file names")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is not a readable index ({error}); fetch it again, or delete it: "
            "the weight files are complete without it"
        ) from error
    return weight_map


def _compare(
    folder: Path,
    index: Mapping[str, str],
    tensors: Mapping[str, TensorInfo],
    headers: Mapping[Path, Header],
) -> tuple[str, ...]:
    """What the index says and the files do not bear out.

    A file that only the index knows means an unfinished download when the tensors it
    should bring are nowhere else. Where a numbered series (or one `model.safetensors`)
    is complete, the index is the one that is wrong: GLM-4.5V-4bit was published with
    the index of the 46 files it had been made from.
    """
    present = {file.name for file in headers}
    absent_files = sorted({file for file in index.values() if file not in present})
    absent = [name for name, file in index.items() if file not in present]
    lost = [name for name in absent if name not in tensors]
    complete = "model.safetensors" in present or any(map(_NUMBERED.fullmatch, present))
    if lost and not complete:
        raise CheckpointError(
            f"{folder} lacks {listed(absent_files)} with {len(lost)} tensors "
            f"({listed(lost, limit=3)}); fetch the missing files"
        )
    found = []
    if absent_files:
        found.append(
            f"{INDEX_NAME} lists {len(absent_files)} files that do not exist "
            f"({listed(absent_files, limit=2)}); the {len(present)} that do are used"
        )
    if unlisted := [name for name in tensors if name not in index]:
        found.append(
            f"{INDEX_NAME} does not list {len(unlisted)} of {len(tensors)} tensors "
            f"({listed(unlisted, limit=2)})"
        )
    moved = [
        name
        for name, file in index.items()
        if file in present and (name not in tensors or tensors[name].file.name != file)
    ]
    if moved:
        found.append(
            f"{INDEX_NAME} places {len(moved)} tensors in files that do not hold them "
            f"({listed(moved, limit=2)})"
        )
    return tuple(found)
