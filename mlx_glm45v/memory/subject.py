"""What a name on the command line stands for: config, weights' size, largest picture.

Knows folders, repositories and config.json files, and reads headers at most. Knows no
machines and no requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..checkpoints import (
    DEMO,
    Checkpoint,
    find_folder,
    is_repo_id,
    quantization_of,
    read_checkpoint,
    read_config_file,
)
from ..config import Glm4vMoeConfig
from ..errors import CheckpointError
from .request import LARGEST_IMAGE_TOKENS, Backend
from .weights import WeightSizes, weight_sizes, weight_sizes_of_files


@dataclass(frozen=True)
class Subject:
    """A model whose memory is asked for.

    `checkpoint` is there where headers were read, `listed_bytes` where the Hub told the
    weight files' sizes; from a bare config neither. `image_tokens` is what the largest
    picture takes by the preprocessor_config, GLM-4.5V's where there is none.
    """

    name: str
    config: Glm4vMoeConfig
    quantization: Mapping[str, Any] | None
    image_tokens: int
    checkpoint: Checkpoint | None = None
    listed_bytes: int | None = None

    @property
    def source(self) -> str:
        """Where the weights' size comes from."""
        if self.checkpoint is not None:
            return "the files' headers"
        return "the config" if self.listed_bytes is None else "the Hub's listing"

    def sizes(self, backend: Backend) -> WeightSizes:
        """Bytes of the weights on a backend.

        Files listed by the Hub are taken as they are where the backend keeps their 16
        bits; float32 is computed from the config. Raises `CheckpointError` for a table
        that is not MLX's.
        """
        floats = backend.float_bytes
        if self.checkpoint is not None:
            return weight_sizes_of_files(
                self.checkpoint, self.config, float_bytes=floats
            )
        sizes = weight_sizes(self.config, self.quantization, float_bytes=floats)
        if self.listed_bytes is None or floats != 2:
            return sizes
        return replace(sizes, trunk=max(0, self.listed_bytes - sum(sizes.experts)))


def find_subject(name: str, *, revision: str | None = None) -> Subject:
    """Look at a folder, a repository id, a config.json file, or `"demo"`.

    Of a repository the small files are fetched and the sizes of the others asked for.
    Raises `CheckpointError` and `DownloadError`.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return _of_config(name, path, preprocessor=path.parent)
    if name != DEMO and not path.exists() and is_repo_id(name):
        from ..hub.download import preview

        seen = preview(name, revision=revision)
        config = seen.folder / "config.json"
        return _of_config(
            name, config, preprocessor=seen.folder, listed_bytes=seen.weight_bytes
        )
    folder = find_folder(name)
    return _of_config(
        name,
        folder / "config.json",
        preprocessor=folder,
        checkpoint=read_checkpoint(folder),
    )


def _of_config(
    name: str,
    path: Path,
    *,
    preprocessor: Path,
    checkpoint: Checkpoint | None = None,
    listed_bytes: int | None = None,
) -> Subject:
    raw = read_config_file(path)
    table, quant_method = quantization_of(raw, path)
    if quant_method is not None:
        raise CheckpointError(
            f"{path}: weights quantised with {quant_method!r} cannot be run as they "
            "are; ask about a conversion (convert.py), or about the bf16 release"
        )
    try:
        config = Glm4vMoeConfig.from_dict(raw)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return Subject(
        name=name,
        config=config,
        quantization=table,
        image_tokens=_largest_image(preprocessor, config),
        checkpoint=checkpoint,
        listed_bytes=listed_bytes,
    )


def _largest_image(folder: Path, config: Glm4vMoeConfig) -> int:
    """Tokens that the preprocessor_config's pixels of one still make at most."""
    vision = config.vision_config
    pixels = (vision.patch_size * vision.spatial_merge_size) ** 2
    try:
        document = json.loads((folder / "preprocessor_config.json").read_bytes())
        budget = int(document["size"]["longest_edge"])
    except (OSError, ValueError, KeyError, TypeError):
        return LARGEST_IMAGE_TOKENS
    return max(1, budget // (vision.temporal_patch_size * pixels))
