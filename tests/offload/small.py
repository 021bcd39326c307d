"""A small model with many experts as a folder, plain or quantised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from mlx_glm45v.checkpoints import read_checkpoint
from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.loading import load_model
from mlx_glm45v.memory.experts import least_budget
from mlx_glm45v.memory.weights import weight_sizes_of_files
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from tests.checkpoint_forms import (
    build,
    config_with,
    parameters_of,
    random_weights,
    write_folder,
)

EXPERTS, CHOSEN = 32, 8
CONFIG = config_with(
    text_config={
        "n_routed_experts": EXPERTS,
        "num_experts_per_tok": CHOSEN,
        "num_hidden_layers": 4,
    }
)
LAYERS = 3  # with experts
Scheme = dict[str, Any]


def write_quantised(
    folder: Path, scheme: Scheme, *, dtype: mx.Dtype = mx.float32, **of: Scheme
) -> Path:
    """The decoder layers' matrices by `scheme`, modules that end in a name of `of` by
    that one; other floats in `dtype`."""
    model = build(CONFIG, random_weights(CONFIG))
    table: dict[str, Any] = dict(scheme)

    def scheme_of(name: str, module: nn.Module) -> Scheme | bool:
        path = f"language_model.model.{name}"
        if not name.startswith("layers.") or not hasattr(module, "to_quantized"):
            return False
        own = next((of[end] for end in of if name.endswith(end)), None)
        if own is not None:
            table[path] = own
        return own or scheme

    nn.quantize(model.language_model.model, class_predicate=scheme_of)
    stored = {
        name: array.astype(dtype) if array.dtype == mx.float32 else array
        for name, array in parameters_of(model).items()
    }
    config = {**CONFIG, "quantization": table}
    return write_folder(folder, config, stored, format="mlx", shards=3)


def load_with(
    folder: Path, slots: int, **options: Any
) -> Glm4vMoeForConditionalGeneration:
    """The model with room for `slots` experts in each layer."""
    checkpoint = read_checkpoint(folder)
    whole = Glm4vMoeConfig.from_dict(checkpoint.config)
    sizes = weight_sizes_of_files(checkpoint, whole, float_bytes=4)
    budget = least_budget(whole.text_config, sizes) // CHOSEN * slots
    return load_model(folder, expert_memory=budget, **options)
