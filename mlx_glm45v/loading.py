"""From a checkpoint to a model with its weights, and to the processor beside it.

Knows the order of the steps: headers, config, empty model (quantised where the files
are), comparison of names and shapes (`matching`), whether they fit the machine
(`memory`), and only then the weights (`reading`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from .checkpoints import (
    Checkpoint,
    find_folder,
    quantization_of,
    read_checkpoint,
    read_config,
)
from .config import Glm4vMoeConfig, Glm4vMoeTextConfig
from .errors import Cancelled, CheckpointError
from .matching import FLOATS, Expected, Match, match
from .memory import (
    WeightSizes,
    parse_bytes,
    plan_loading,
    weight_sizes,
    weight_sizes_of_files,
)
from .model.fuse import fuse_projections
from .model.glm4v_moe import Glm4vMoeForConditionalGeneration
from .offload.install import stream_experts
from .offload.profile import ExpertProfile
from .processing.processor import Processor
from .progress import ProgressCallback, ShouldStop
from .reading import give_back_spare_buffers, read_weights
from .shards import listed

_STORED_INTEGERS = {mx.uint32: "U32", mx.uint8: "U8"}
_MODES = ("affine", "mxfp4", "mxfp8", "nvfp4")

logger = logging.getLogger(__name__)


def load(
    path_or_repo: str | Path,
    *,
    revision: str | None = None,
    dtype: mx.Dtype | None = None,
    force: bool = False,
    expert_memory: int | str | None = None,
    expert_profile: str | Path | None = None,
    progress: ProgressCallback | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[Glm4vMoeForConditionalGeneration, Processor]:
    """Load a model and its processor from a folder, a repository id or `"demo"`.

    A repository is fetched first. `progress` gets bytes fetched, then bytes loaded;
    `should_stop` ends either. What this machine has no memory for is refused before it
    is fetched, unless `force` is set. Of experts only `expert_memory` (`"12GB"`, or
    bytes) are held, and the others read from the files when they are chosen; by default
    that happens where the whole does not fit. See `load_model` for `expert_profile`.
    Raises `CheckpointError`, `DownloadError`, `NotEnoughMemory`, `Cancelled`, or
    ValueError for an `expert_memory` that is no size.
    """
    folder = find_folder(
        path_or_repo,
        revision=revision,
        check=partial(
            _check_config, dtype=dtype, force=force, expert_memory=_bytes(expert_memory)
        ),
        progress=progress,
        should_stop=should_stop,
    )
    checkpoint = read_checkpoint(folder)
    processor = Processor.from_folder(folder)
    model = load_model(
        checkpoint,
        dtype=dtype,
        force=force,
        expert_memory=expert_memory,
        expert_profile=expert_profile,
        progress=progress,
        should_stop=should_stop,
    )
    return model, processor


def load_model(
    path: str | Path | Checkpoint,
    *,
    dtype: mx.Dtype | None = None,
    force: bool = False,
    fuse: bool = True,
    expert_memory: int | str | None = None,
    expert_profile: str | Path | None = None,
    progress: ProgressCallback | None = None,
    should_stop: ShouldStop | None = None,
) -> Glm4vMoeForConditionalGeneration:
    """Load the model of a Hugging Face or MLX folder, strictly.

    `path` may also be a `Checkpoint` whose headers were read before. `dtype` of the
    floating-point parameters is by default float32 on the CPU backend, whose other
    kernels are slow or wrong, elsewhere the dtype in which the final norm is stored.
    The router's weight and correction bias are float32 always. `fuse` joins projections
    that share their input; without it all parameters keep the files' names.

    `expert_memory` is how many bytes of experts are held; the others stay in the files
    and are read when they are chosen. By default all are held, or, where the whole does
    not fit, what this machine has room for. `expert_profile` names a file that
    `model.expert_source.save_profile` wrote, if it exists: layers then get slots by
    what it measured. `progress` gets bytes read.

    Raises `CheckpointError` when a tensor is missing, surplus or misshapen, or for a
    quantisation that is not MLX's; `NotEnoughMemory`, before any weight is read, for
    what this machine has no room for with a short context and one picture, unless
    `force` is set; `Cancelled` after `should_stop`; ValueError for an `expert_memory`
    that is no size.
    """
    budget = _bytes(expert_memory)
    check = partial(_check_config, dtype=dtype, force=force, expert_memory=budget)
    if isinstance(path, Checkpoint):
        checkpoint = path
    else:
        folder = find_folder(
            path,
            check=check,
            progress=progress,
            should_stop=should_stop,
        )
        checkpoint = read_checkpoint(folder)
    _refuse_foreign_quantization(checkpoint.folder, checkpoint.quant_method)
    model = _empty_model(checkpoint)
    if checkpoint.quantization is not None:
        _quantize_modules(model, checkpoint, checkpoint.quantization)
    parameters: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    matched = match(
        checkpoint,
        {key: _expected(array) for key, array in parameters.items()},
        num_hidden_layers=model.config.text_config.num_hidden_layers,
    )
    if matched.dropped:
        logger.warning(
            "%s: %d tensors are left out, they belong to no layer of this model: %s",
            checkpoint.folder,
            len(matched.dropped),
            listed(matched.dropped, limit=3),
        )
    dtype = dtype or _default_dtype(matched)
    sizes = weight_sizes_of_files(checkpoint, model.config, float_bytes=dtype.size)
    profile = _profile(model.config.text_config, sizes, expert_profile)
    plan = plan_loading(
        model.config,
        sizes,
        float_bytes=dtype.size,
        name=str(checkpoint.folder),
        expert_memory=budget,
        depths=profile.depth_rates() if profile.known else None,
        force=force,
    )
    if plan is not None:
        logger.info(
            "%s: %.0f %% of the experts are held, the others read when they are chosen",
            checkpoint.folder,
            100 * plan.resident,
        )
        matched = stream_experts(model, matched, plan, dtype=dtype, profile=profile)
    weights = read_weights(
        matched,
        dtype=dtype,
        progress=progress,
        should_stop=should_stop,
    )
    model.load_weights(list(weights.items()), strict=True)
    model.eval()
    del weights  # what fusing replaces has to be given back at once
    if fuse:
        _fuse(model, should_stop)
    mx.clear_cache()
    return model


def _fuse(
    model: Glm4vMoeForConditionalGeneration, should_stop: ShouldStop | None
) -> None:
    """Layer by layer, so that no more than one of them is in memory twice."""
    for layer in model.language_model.model.layers:
        if should_stop is not None and should_stop():
            raise Cancelled("loading was stopped while projections were joined")
        fuse_projections(layer)
        mx.eval(layer.parameters())
        give_back_spare_buffers()


def _empty_model(checkpoint: Checkpoint) -> Glm4vMoeForConditionalGeneration:
    path = checkpoint.folder / "config.json"
    return Glm4vMoeForConditionalGeneration(_config_of(checkpoint.config, path))


def _config_of(raw: Mapping[str, Any], path: Path) -> Glm4vMoeConfig:
    """A config.json's content, checked as a whole."""
    try:
        config = Glm4vMoeConfig.from_dict(raw)
        config.validate()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return config


def _bytes(expert_memory: int | str | None) -> int | None:
    return None if expert_memory is None else parse_bytes(expert_memory)


def _profile(
    config: Glm4vMoeTextConfig, sizes: WeightSizes, path: str | Path | None
) -> ExpertProfile:
    """What is known of the layers with experts; nothing where there is no such file."""
    layers, experts = len(sizes.experts), config.n_routed_experts
    if path is None or not Path(path).exists():
        return ExpertProfile(layers, experts)
    return ExpertProfile.load(Path(path), layers=layers, experts=experts)


def _check_config(
    folder: Path,
    *,
    dtype: mx.Dtype | None,
    force: bool,
    expert_memory: int | None,
) -> None:
    """Refuse what could not be loaded before its weights are fetched."""
    path = folder / "config.json"
    raw = read_config(folder)
    table, quant_method = quantization_of(raw, path)
    _refuse_foreign_quantization(folder, quant_method)
    config = _config_of(raw, path)
    dtype = dtype or (mx.float32 if _on_cpu() else mx.bfloat16)
    try:
        sizes = weight_sizes(config, table, float_bytes=dtype.size)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    plan_loading(
        config,
        sizes,
        float_bytes=dtype.size,
        name=str(folder),
        expert_memory=expert_memory,
        force=force,
    )


def _refuse_foreign_quantization(folder: Path, quant_method: str | None) -> None:
    if quant_method is not None:
        raise CheckpointError(
            f"{folder} is quantised with {quant_method!r}, which "
            "cannot be run directly; take the bf16 release (zai-org/GLM-4.5V) or an "
            "MLX one (mlx-community/GLM-4.5V-4bit), or convert it first"
        )


def _quantize_modules(
    model: nn.Module, checkpoint: Checkpoint, table: Mapping[str, Any]
) -> None:
    """Give the modules that have `.scales` in the files their quantised form.

    The table's own values hold for all of them; an entry under a module's path goes
    before.
    """
    path = checkpoint.folder / "config.json"
    default = _scheme(table, path, "quantization")
    without = [
        name
        for name, entry in table.items()
        if isinstance(entry, Mapping) and f"{name}.scales" not in checkpoint.tensors
    ]
    if without:
        raise CheckpointError(
            f"{path} quantises {listed(without, limit=3)}, for which the files hold no "
            ".scales; fetch or convert the folder again"
        )

    def scheme_of(name: str, _module: nn.Module) -> bool | dict[str, Any]:
        if f"{name}.scales" not in checkpoint.tensors:
            return False
        entry = table.get(name)
        return _scheme(entry, path, name) if isinstance(entry, Mapping) else default

    try:
        nn.quantize(model, class_predicate=scheme_of)
    except ValueError as error:
        raise CheckpointError(
            f"{path}: its quantization does not fit the model: {error}"
        ) from error


def _scheme(entry: Mapping[str, Any], path: Path, name: str) -> dict[str, Any]:
    mode = entry.get("mode", "affine")
    if mode not in _MODES:
        raise CheckpointError(
            f"{path}: {name} has the unknown quantisation mode {mode!r}; known are "
            f"{', '.join(_MODES)}"
        )
    bits, group_size = entry.get("bits"), entry.get("group_size")
    if not isinstance(bits, int) or not isinstance(group_size, int):
        raise CheckpointError(
            f"{path}: {name} needs bits and group_size, it has {dict(entry)!r}"
        )
    return {"bits": bits, "group_size": group_size, "mode": mode}


def _expected(array: mx.array) -> Expected:
    stored = _STORED_INTEGERS.get(array.dtype)
    return Expected(array.shape, frozenset({stored}) if stored else FLOATS)


def _on_cpu() -> bool:
    return mx.default_device() == mx.Device(mx.cpu)


def _default_dtype(matched: Match) -> mx.Dtype:
    if _on_cpu():
        return mx.float32
    stored = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16}
    return stored[matched.sources["language_model.model.norm.weight"][0].info.dtype]
