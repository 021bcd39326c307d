"""What a source's name stands for, looked at and not fetched.

Knows folders, repositories and config.json files; reads headers at most. Decides
nothing about conversions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..checkpoints import (
    Checkpoint,
    find_folder,
    is_repo_id,
    quantization_of,
    read_checkpoint,
    read_config_file,
)
from ..config import Glm4vMoeConfig
from ..errors import CheckpointError
from ..model.weights import keeps_float32
from ..parameters.shapes import parameter_shapes, size_of
from ..progress import ShouldStop
from ..safetensors_header import TensorInfo
from .beside import CONFIG_NAME


@dataclass(frozen=True)
class Seen:
    """A source as far as it could be looked at.

    `has_headers`: `checkpoint` is the real one, not what its config makes likely.
    `to_fetch` are the sizes of a repository's weight files that are not here yet.
    """

    checkpoint: Checkpoint
    known_from: str
    has_headers: bool
    weight_bytes: int | None = None
    to_fetch: Sequence[int] = ()

    @property
    def config(self) -> Glm4vMoeConfig:
        """Its config; `look_at` has read it before."""
        return Glm4vMoeConfig.from_dict(self.checkpoint.config)


def look_at(
    source: str,
    *,
    revision: str | None = None,
    should_stop: ShouldStop | None = None,
) -> Seen:
    """Look at a folder, a repository id, a config.json file, or `"demo"`.

    Of a repository the small files are fetched and the sizes of the others asked for.
    Raises `CheckpointError`, `DownloadError`, or `Cancelled`.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return Seen(checkpoint_of(path), "the config alone", has_headers=False)
    if is_repo_id(source):
        return _look_at_repository(source, revision=revision, should_stop=should_stop)
    folder = find_folder(source)
    config = folder / CONFIG_NAME
    if config.is_file() and not list(folder.glob("*.safetensors")):
        return Seen(checkpoint_of(config), "the config alone", has_headers=False)
    return Seen(read_checkpoint(folder), "the files' headers", has_headers=True)


def local_folder(source: str, *, revision: str | None = None) -> Path | None:
    """Where a source lies on this machine as a whole, None where it does not.

    Asks nobody.
    """
    if not is_repo_id(source):
        path = Path(source).expanduser()
        return find_folder(source) if path.is_dir() or not path.exists() else None
    from ..hub.download import fetched_before

    return fetched_before(source, revision=revision)


def checkpoint_of(config_path: Path) -> Checkpoint:
    """What a config's weights would look like in bf16, for a plan without any files.

    Raises `CheckpointError`.
    """
    raw = read_config_file(config_path)
    table, quant_method = quantization_of(raw, config_path)
    try:
        config = Glm4vMoeConfig.from_dict(raw)
    except CheckpointError as error:
        raise CheckpointError(f"{config_path}: {error}") from error
    file = config_path.parent / "model.safetensors"
    tensors: dict[str, TensorInfo] = {}
    position = 0
    for key, shape in parameter_shapes(config).items():
        dtype, width = ("F32", 4) if keeps_float32(key) else ("BF16", 2)
        stop = position + size_of(shape) * width
        tensors[key] = TensorInfo(file, dtype, shape, position, stop)
        position = stop
    return Checkpoint(
        folder=config_path.parent,
        config=raw,
        tensors=tensors,
        format="mlx",
        quantization=table,
        quant_method=quant_method,
        warnings=(),
    )


def _look_at_repository(
    repo_id: str, *, revision: str | None, should_stop: ShouldStop | None
) -> Seen:
    # The HTTP client costs half a second, needed for no folder.
    from ..hub.download import Unreachable, fetched_before, open_repository

    try:
        seen = open_repository(repo_id, revision=revision, should_stop=should_stop)
    except Unreachable:
        folder = fetched_before(repo_id, revision=revision)
        if folder is None:
            raise
        return Seen(read_checkpoint(folder), "the headers of fetched files", True)
    here = {file.name for file in seen.folder.glob("*.safetensors")}
    if here == seen.weights.keys():
        checkpoint = read_checkpoint(seen.folder)
        return Seen(checkpoint, "the headers of fetched files", True)
    return Seen(
        checkpoint_of(seen.folder / CONFIG_NAME),
        "the Hub's listing and the config",
        has_headers=False,
        weight_bytes=sum(remote.size for remote in seen.weights.values()),
        to_fetch=tuple(
            remote.size for name, remote in seen.weights.items() if name not in here
        ),
    )
