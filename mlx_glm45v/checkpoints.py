"""From a name to a checkpoint: the demo, a local folder, a repository of the Hub.

Knows where checkpoints lie, their configs and their headers. Reads no weights, and does
not know models: `loading` turns a `Checkpoint` into one.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CheckpointError
from .progress import ProgressCallback, ShouldStop
from .safetensors_header import Header, TensorInfo
from .shards import Format, check_finished, join_headers, read_shards

DEMO = "demo"
MODEL_TYPE = "glm4v_moe"
_DEMO_FOLDER = Path(__file__).parent / "demo" / "checkpoint"
_REPO_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_SIBLINGS = {
    "glm4v": "the dense model of GLM-4.1V and GLM-4.6V-Flash",
    "glm4_moe": "a text model of the GLM-4.5 family without pictures",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A folder whose config and headers were read and agree with each other.

    `tensors` maps the names in the files to where they lie. `quantization` is MLX's
    table (`group_size`, `bits`, `mode`, entries per module), None for plain weights;
    `quant_method` names a quantisation of another maker. `warnings` say where index and
    files differ.
    """

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, TensorInfo]
    format: Format
    quantization: Mapping[str, Any] | None
    quant_method: str | None
    warnings: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """Size of all tensors in bytes."""
        return sum(info.nbytes for info in self.tensors.values())


def resolve(
    path_or_repo: str | Path,
    *,
    revision: str | None = None,
    progress: ProgressCallback | None = None,
    should_stop: ShouldStop | None = None,
) -> Checkpoint:
    """Find a checkpoint, fetching it when it is a repository, and read its headers.

    `path_or_repo` is `"demo"`, a folder, or a repository id such as `zai-org/GLM-4.5V`
    (then `revision` may be a branch, tag or commit). An existing folder goes before a
    repository of the same spelling; `./demo` is a folder. Raises `CheckpointError`,
    `DownloadError`, or `Cancelled`.
    """
    folder = find_folder(
        path_or_repo, revision=revision, progress=progress, should_stop=should_stop
    )
    return read_checkpoint(folder)


def find_folder(
    path_or_repo: str | Path,
    *,
    revision: str | None = None,
    check: Callable[[Path], object] | None = None,
    progress: ProgressCallback | None = None,
    should_stop: ShouldStop | None = None,
) -> Path:
    """The folder a name stands for; see `resolve`.

    `check` (by default `read_config`) sees a repository's folder when its configs are
    there, and may raise before the weights are fetched.
    """
    if path_or_repo == DEMO:
        return _DEMO_FOLDER
    folder = Path(path_or_repo).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise CheckpointError(f"{folder} is a file; give the folder it lies in")
    if isinstance(path_or_repo, Path) or not _REPO_ID.fullmatch(path_or_repo):
        raise CheckpointError(
            f"{folder} does not exist; give a folder with config.json and "
            f"*.safetensors, a repository id such as zai-org/GLM-4.5V, or {DEMO}"
        )
    # Imported here: the HTTP client costs half a second, needed for no folder.
    from .hub.download import download

    return download(
        path_or_repo,
        revision=revision,
        check=check or read_config,
        progress=progress,
        should_stop=should_stop,
    )


def is_repo_id(name: str) -> bool:
    """Whether a name has to be looked for on the Hub, for nothing here is called so."""
    local = name == DEMO or Path(name).expanduser().exists()
    return not local and _REPO_ID.fullmatch(name) is not None


def read_checkpoint(
    folder: Path, *, headers: Mapping[Path, Header] | None = None
) -> Checkpoint:
    """Read config and headers of a folder; warnings are logged as well as kept.

    `headers` are those of the weight files where these are not in the folder. Raises
    `CheckpointError` when the config is missing, not JSON or of another model type, or
    when the weight files are (see `shards.read_shards`).
    """
    check_finished(folder)
    config = read_config(folder)
    shards = read_shards(folder) if headers is None else join_headers(folder, headers)
    for warning in shards.warnings:
        logger.warning("%s: %s", folder, warning)
    table, quant_method = quantization_of(config, folder / "config.json")
    return Checkpoint(
        folder=folder,
        config=config,
        tensors=shards.tensors,
        format=shards.format,
        quantization=table,
        quant_method=quant_method,
        warnings=shards.warnings,
    )


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a folder, checked to describe the model this library runs."""
    return read_config_file(folder / "config.json")


def read_config_file(path: Path) -> dict[str, Any]:
    """The same from a file of any name. Raises `CheckpointError`."""
    try:
        config = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}); a checkpoint's folder holds it "
            "beside the weights"
        ) from error
    except ValueError as error:
        raise CheckpointError(
            f"{path} is not valid JSON ({error}); fetch it again"
        ) from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} holds no table; fetch it again")
    model_type = config.get("model_type")
    if model_type != MODEL_TYPE:
        known = _SIBLINGS.get(str(model_type))
        raise CheckpointError(
            f"{path} describes a model of type {model_type!r}"
            + (f", {known}" if known else "")
            + f"; this library runs {MODEL_TYPE!r} (GLM-4.5V, GLM-4.6V)"
        )
    return config


def quantization_of(
    config: Mapping[str, Any], path: Path
) -> tuple[Mapping[str, Any] | None, str | None]:
    """MLX's table, and the name of any other maker's method.

    MLX writes its table twice, under `quantization` and `quantization_config`;
    everybody else's has a `quant_method`, at the top or inside `text_config`.
    """
    text = config.get("text_config")
    places = [config, text if isinstance(text, Mapping) else {}]
    for place in places:
        foreign = place.get("quantization_config") or {}
        if not isinstance(foreign, Mapping):
            raise CheckpointError(f"{path}: quantization_config is not a table")
        if "quant_method" in foreign:
            return None, str(foreign["quant_method"])
    table = config.get("quantization") or config.get("quantization_config")
    if not table:
        return None, None
    if not isinstance(table, Mapping) or not {"bits", "group_size"} & set(table):
        raise CheckpointError(
            f"{path}: the quantization table {table!r} names neither bits nor "
            "group_size and no quant_method, so it cannot be understood"
        )
    return table, None
