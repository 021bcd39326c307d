"""Element-wise steps that become one kernel on a GPU.

Elsewhere they stay as they are: the CPU backend would start the system's C++ compiler
for each of them, most of a second at first use, and gain nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import mlx.core as mx

P = ParamSpec("P")
T = TypeVar("T")


def one_kernel(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function of arrays that is element-wise, for arrays of any shape.

    Reductions and slices have no place in it: compiled without shapes they crash MLX
    where an axis has size 1.
    """
    compiled = mx.compile(function, shapeless=True)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return (compiled if on_gpu() else function)(*args, **kwargs)

    return call


@cache
def on_gpu() -> bool:
    """Whether models are computed on a GPU: MLX's default device when first asked."""
    return mx.default_device().type == mx.DeviceType.gpu
