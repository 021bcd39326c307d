"""Bicubic sampling: its laws. That it equals the reference's is in tests/parity."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.model.interpolate import bicubic_matrix, sample_positions


@given(count=st.integers(1, 200), side=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_weights_sum_to_one_also_at_the_border(count: int, side: int) -> None:
    """Zero padding would let the rows at the border lose weight."""
    weights = np.array(bicubic_matrix(count, side))
    assert weights.shape == (count, side)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=2e-5)


@given(count=st.integers(2, 100), side=st.integers(2, 40))
@settings(max_examples=30, deadline=None)
def test_sampling_is_the_same_from_either_end(count: int, side: int) -> None:
    weights = np.array(bicubic_matrix(count, side))
    np.testing.assert_allclose(weights, weights[::-1, ::-1], atol=1e-4)


def test_a_table_of_the_grids_size_is_itself() -> None:
    table = mx.random.normal((36, 5))
    np.testing.assert_array_equal(
        np.array(sample_positions(table, 6, 6)).reshape(36, 5), np.array(table)
    )


def test_half_a_pixel_between_two_values() -> None:
    """The weights of Keys' kernel with a = -0.75; bilinear has 0.5, a = -0.5 0.5625."""
    middle = np.array(bicubic_matrix(4, 8))[1]
    near, far = 0.59375, -0.09375
    np.testing.assert_allclose(middle, [0, far, near, near, far, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16])
def test_sampling_is_in_float32(dtype: mx.Dtype) -> None:
    table = mx.random.normal((16, 3)).astype(dtype)
    sampled = sample_positions(table, 3, 10)
    assert sampled.shape == (3, 10, 3)
    assert sampled.dtype == mx.float32
