"""Steps that a GPU computes at once: the same as step by step, for any shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.model import experts
from mlx_glm45v.model.kernels import one_kernel

STEPS: dict[Callable[..., Any], tuple[Sequence[int], Sequence[int]]] = {
    experts._scores: ([1, 1, 16], [16]),
    experts._shares: ([1, 1, 8], [1, 1, 1]),
    experts._weighted: ([1, 1, 8, 64], [1, 1, 8, 1]),
    experts._added: ([1, 1, 64], [1, 1, 64]),
}


def arrays(shapes: Sequence[Sequence[int]], length: int) -> list[mx.array]:
    """Random values above 0, the second axis `length` long where there are several."""
    shapes = [s if len(s) == 1 else [s[0], length, *s[2:]] for s in shapes]
    return [mx.random.uniform(0.1, 1, s, key=mx.random.key(len(s))) for s in shapes]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_compiled_is_the_same(step: Callable[..., Any]) -> None:
    """One compilation serves prompts and single tokens."""
    compiled = mx.compile(step, shapeless=True)
    for length in (1, 5, 3):
        given = arrays(STEPS[step], length)
        ours, expected = compiled(*given), step(*given)
        if isinstance(ours, mx.array):
            ours, expected = [ours], [expected]
        for one, other in zip(ours, expected, strict=True):
            np.testing.assert_allclose(np.array(one), np.array(other), rtol=1e-6)


def test_without_a_gpu_nothing_is_compiled() -> None:
    calls = []

    @one_kernel
    def doubled(x: mx.array) -> mx.array:
        calls.append(x.shape)
        return x + x

    assert [doubled(mx.ones(2)).tolist() for _ in range(2)] == [[2.0, 2.0]] * 2
    assert calls == [(2,), (2,)]
