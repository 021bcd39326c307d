"""The activation functions that a config's `hidden_act` may name."""

from __future__ import annotations

import math
from collections.abc import Callable

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.models.switch_layers import (
    swiglu,  # pyright: ignore[reportPrivateImportUsage]
)

Activation = Callable[[mx.array], mx.array]
Gated = Callable[[mx.array, mx.array], mx.array]


def _laplace(x: mx.array) -> mx.array:
    """Source: MEGA (arXiv 2209.10655), with the constants of its equation 8."""
    return 0.5 * (1 + mx.erf((x - 0.707107) / (0.282095 * math.sqrt(2))))


def _clipped_gelu(x: mx.array) -> mx.array:
    return mx.clip(nn.gelu(x), -10, 10)


ACTIVATIONS: dict[str, Activation] = {
    "gelu": nn.gelu,
    "gelu_10": _clipped_gelu,
    "gelu_accurate": nn.gelu_approx,
    "gelu_fast": nn.gelu_approx,
    "gelu_new": nn.gelu_approx,
    "gelu_python": nn.gelu,
    "gelu_python_tanh": nn.gelu_approx,
    "gelu_pytorch_tanh": nn.gelu_approx,
    "hardswish": nn.hardswish,
    "laplace": _laplace,
    "leaky_relu": nn.leaky_relu,
    "linear": lambda x: x,
    "mish": nn.mish,
    "quick_gelu": nn.gelu_fast_approx,
    "relu": nn.relu,
    "relu2": nn.relu2,
    "relu6": nn.relu6,
    "sigmoid": mx.sigmoid,
    "silu": nn.silu,
    "swish": nn.silu,
    "tanh": mx.tanh,
}


def gated(name: str) -> Gated:
    """`(gate, x) -> act(gate) * x`; for silu it is mlx-lm's, which is one kernel."""
    act = ACTIVATIONS[name]
    if act is nn.silu:
        return swiglu
    return lambda gate, x: act(gate) * x
