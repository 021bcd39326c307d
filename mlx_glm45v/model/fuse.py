"""Projections of one input joined into one, after the weights are loaded.

One product of a larger matrix takes fewer steps than two or three, and each of its
outputs is computed as before, to the bit. Plain matrices outside the experts are left
alone: how a BLAS rounds depends on their shape. Knows the joined modules' names, which
no file has. Evaluates nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.models.switch_layers import QuantizedSwitchLinear, SwitchLinear

_JOINED = {
    "qkv_proj": ("q_proj", "k_proj", "v_proj"),
    "gate_up_proj": ("gate_proj", "up_proj"),
}
_JOINABLE = (nn.QuantizedLinear, QuantizedSwitchLinear, SwitchLinear)
# What a projection layer may hold, and the axis of its outputs.
_OUTPUT_AXES = {"weight": -2, "scales": -2, "biases": -2, "bias": -1}


def fuse_projections(layer: nn.Module) -> None:
    """Join query, key and value projections, and gates with ups, wherever in `layer`.

    Projections that differ in their bits, group size, mode or dtype stay apart. The
    joined arrays are lazy; until they are evaluated the single ones live on.
    """
    for module in layer.modules():
        for name, parts in _JOINED.items():
            if all(part in module for part in parts):
                _join(module, name, parts)


def _join(module: nn.Module, name: str, parts: Sequence[str]) -> None:
    projections = [module[part] for part in parts]
    first = projections[0]
    known = isinstance(first, _JOINABLE) and first.keys() <= _OUTPUT_AXES.keys()
    if not known or any(_form(part) != _form(first) for part in projections):
        return
    for key in first:
        first[key] = mx.concatenate(
            [part[key] for part in projections], _OUTPUT_AXES[key]
        )
    for name_of_part in parts:
        del module[name_of_part]
    module[name] = first


def _form(projection: nn.Module) -> tuple[object, ...]:
    """What has to be equal: the class, its settings, the arrays it has."""
    arrays = {key: array.dtype for key, array in projection.items()}
    return type(projection), vars(projection), arrays
