from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlx_glm45v.conversion import search
from mlx_glm45v.conversion.search import pack, search_rows
from mlx_glm45v.parameters.recipes import BITS

Packed = tuple[mx.array, ...]


def plain(rows: mx.array, bits: int, group_size: int, dtype: mx.Dtype) -> Packed:
    stored = rows.astype(dtype)
    return tuple(mx.quantize(stored, group_size=group_size, bits=bits))


def restored(packed: Packed, bits: int, group_size: int) -> np.ndarray:
    weight, scales, biases = packed
    wide = scales.astype(mx.float32), biases.astype(mx.float32)
    return np.array(mx.dequantize(weight, *wide, group_size=group_size, bits=bits))


def errors(rows: np.ndarray, packed: Packed, bits: int, group_size: int) -> np.ndarray:
    """Squared error of each group, in float64."""
    difference = restored(packed, bits, group_size).astype(np.float64) - rows
    return np.square(difference).reshape(-1, group_size).sum(axis=-1)


def decibels_gained(rows: np.ndarray, bits: int, group_size: int = 64) -> float:
    array = mx.array(rows)
    before = plain(array, bits, group_size, mx.bfloat16)
    after = search_rows(array, bits=bits, group_size=group_size)
    worse = errors(rows, before, bits, group_size).sum()
    return 10 * np.log10(worse / errors(rows, after, bits, group_size).sum())


def samples(freedom: float) -> np.ndarray:
    """Fixed samples rounded to bf16; Student's t, infinite freedom is Gaussian."""
    generator = np.random.default_rng(20250811)
    shape = (512, 512)
    if np.isinf(freedom):
        numbers = generator.standard_normal(shape)
    else:
        numbers = generator.standard_t(freedom, shape)
    return np.array(
        mx.array(0.02 * numbers.astype(np.float32))
        .astype(mx.bfloat16)
        .astype(mx.float32)
    )


@pytest.mark.parametrize("freedom", [4, 5, np.inf])
@pytest.mark.parametrize(("bits", "gain"), [(2, 1.6), (3, 1.0), (4, 0.6)])
def test_the_gain_on_fixed_samples(freedom: float, bits: int, gain: float):
    assert decibels_gained(samples(freedom), bits) > gain


@pytest.mark.parametrize("group_size", [32, 128])
def test_other_groups_gain_too(group_size: int):
    assert decibels_gained(samples(5), 3, group_size) > 0.8


numbers = st.floats(-1e4, 1e4, width=32)
constants = st.builds(lambda value: np.full(128, value, np.float32), numbers)
spikes = st.builds(
    lambda place, value: np.eye(128, dtype=np.float32)[place] * np.float32(value),
    st.integers(0, 127),
    numbers,
)
sizes = st.sampled_from([1e-40, 1e-35, 1e-12, 1e-3, 1.0, 1e6, 1e18, 1e30, 1e37])
scaled = st.builds(
    lambda row, size: (row / np.float32(1e4) * np.float32(size)).astype(np.float32),
    arrays(np.float32, 128, elements=numbers),
    sizes,
)
offset = st.builds(
    lambda row, base: row / np.float32(1e6) + np.float32(base),
    arrays(np.float32, 128, elements=numbers),
    numbers,
)
any_row = st.one_of(
    arrays(np.float32, 128, elements=numbers), constants, spikes, scaled, offset
)


@pytest.mark.parametrize("bits", BITS)
@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(any_row, min_size=1, max_size=3),
    group_size=st.sampled_from([32, 64, 128]),
    dtype=st.sampled_from([mx.bfloat16, mx.float32]),
)
def test_no_group_is_worse_than_rounded(
    bits: int, rows: list[np.ndarray], group_size: int, dtype: mx.Dtype
):
    values = np.stack(rows)
    array = mx.array(values)
    found = search_rows(array, bits=bits, group_size=group_size, dtype=dtype)
    assert all(mx.isfinite(part).all() for part in found[1:])
    before = errors(values, plain(array, bits, group_size, dtype), bits, group_size)
    after = errors(values, found, bits, group_size)
    # Which of two is better is decided in float32.
    largest = np.abs(values).reshape(-1, group_size).max(axis=-1).astype(np.float64)
    assert (after <= before * (1 + 1e-4) + group_size * (1e-6 * largest) ** 2).all()


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, -0.37109375, 2.0**-120, 2.0**100])
def test_a_constant_that_the_dtype_holds_comes_back(bits: int, value: float):
    rows = np.full((2, 64), value, np.float32)
    found = search_rows(mx.array(rows), bits=bits, group_size=64)
    assert (restored(found, bits, 64) == rows).all()


@pytest.mark.parametrize("bits", BITS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_codes_are_packed_in_mlxs_order(bits: int, seed: int):
    codes = np.random.default_rng(seed).integers(0, 2**bits, (64, 5))
    one, nought = mx.ones((5, 1)), mx.zeros((5, 1))
    packed = pack(mx.array(codes.astype(np.uint8)), bits)
    unpacked = mx.dequantize(packed, one, nought, group_size=64, bits=bits)
    assert (np.array(unpacked) == codes.T).all()


def test_the_result_does_not_depend_on_the_size_of_the_pieces(
    monkeypatch: pytest.MonkeyPatch,
):
    rows = mx.array(samples(4)[:8])
    whole = search_rows(rows, bits=3, group_size=64)
    monkeypatch.setattr(search, "WEIGHTS_AT_ONCE", 3 * 512)
    pieces = search_rows(rows, bits=3, group_size=64)
    for one, other in zip(whole, pieces, strict=True):
        assert mx.array_equal(one, other)


def test_memory_beside_the_rows_is_bounded_by_a_piece():
    rows = mx.array(np.tile(samples(5), (16, 1)))  # 4M numbers in 16 MB
    mx.eval(rows)
    held = mx.get_active_memory()
    mx.reset_peak_memory()
    search_rows(rows, bits=3, group_size=64)
    result = rows.size * 3 // 8 + rows.size // 64 * 4
    assert mx.get_peak_memory() - held < 2 * result + 24 * search.WEIGHTS_AT_ONCE * 4
