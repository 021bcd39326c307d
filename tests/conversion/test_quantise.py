from __future__ import annotations

from itertools import pairwise

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.conversion.quantise import (
    all_finite,
    packed_shapes,
    quantise_rows,
    suffixes_of,
)
from mlx_glm45v.parameters.recipes import BITS, FP_MODES, Scheme

SCHEMES = [
    *(Scheme(bits, 64) for bits in BITS),
    Scheme(4, 32),
    Scheme(3, 128),
    *(Scheme(bits, group_size, mode) for mode, (bits, group_size) in FP_MODES.items()),
]
NAMES = [f"{scheme.mode}-{scheme.bits}-g{scheme.group_size}" for scheme in SCHEMES]
FLOATS = [mx.bfloat16, mx.float16, mx.float32]

every_scheme = pytest.mark.parametrize("scheme", SCHEMES, ids=NAMES)


def weights(rows: int, columns: int, *, seed: int = 3) -> mx.array:
    """Heavy-tailed float32 numbers of a weight's usual size."""
    numbers = np.random.default_rng(seed).standard_t(5, (rows, columns))
    return mx.array((0.02 * numbers).astype(np.float32))


def of_mlx(rows: mx.array, scheme: Scheme) -> list[mx.array]:
    return list(
        mx.quantize(
            rows, group_size=scheme.group_size, bits=scheme.bits, mode=scheme.mode
        )
    )


def are_equal(some: list[mx.array], others: list[mx.array]) -> bool:
    return len(some) == len(others) and all(
        one.dtype == other.dtype and mx.array_equal(one, other)
        for one, other in zip(some, others, strict=True)
    )


@every_scheme
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_plain_rows_are_mlxs_own_in_the_output_dtype(scheme: Scheme, dtype: mx.Dtype):
    rows = weights(6, 256)
    found = quantise_rows(rows, scheme, dtype=dtype)
    assert are_equal(list(found), of_mlx(rows.astype(dtype), scheme))


@every_scheme
def test_rows_of_a_bf16_source_may_come_widened_or_as_they_are(scheme: Scheme):
    stored = weights(4, 256).astype(mx.bfloat16)
    expected = of_mlx(stored, scheme)
    assert are_equal(list(quantise_rows(stored, scheme)), expected)
    assert are_equal(list(quantise_rows(stored.astype(mx.float32), scheme)), expected)


@every_scheme
@pytest.mark.parametrize("search", [False, True])
def test_blocks_of_rows_give_the_bits_of_the_whole(scheme: Scheme, search: bool):
    rows = weights(12, 128)
    blocks = [
        quantise_rows(rows[start:stop], scheme, search=search)
        for start, stop in pairwise((0, 1, 3, 10, 12))
    ]
    joined = [mx.concatenate(arrays) for arrays in zip(*blocks, strict=True)]
    assert are_equal(joined, list(quantise_rows(rows, scheme, search=search)))


@every_scheme
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("search", [False, True])
def test_shapes_and_dtypes_are_those_announced(
    scheme: Scheme, dtype: mx.Dtype, search: bool
):
    arrays = quantise_rows(weights(3, 384), scheme, search=search, dtype=dtype)
    announced = packed_shapes((3, 384), scheme, dtype=dtype)
    assert tuple(announced) == suffixes_of(scheme)
    assert [(array.shape, array.dtype) for array in arrays] == list(announced.values())


@every_scheme
def test_stacked_experts_keep_their_leading_axis(scheme: Scheme):
    stacked = of_mlx(mx.zeros((5, 3, 256), dtype=mx.bfloat16), scheme)
    announced = packed_shapes((5, 3, 256), scheme)
    assert [(array.shape, array.dtype) for array in stacked] == list(announced.values())


@every_scheme
@pytest.mark.parametrize("search", [False, True])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_numbers_that_are_not_finite_are_counted(
    scheme: Scheme, search: bool, dtype: mx.Dtype, bad: float
):
    rows = np.array(weights(4, 128))
    rows[2, 5] = rows[3, 100] = bad
    with pytest.raises(ValueError, match=r"^2 numbers of 512 that are not finite"):
        quantise_rows(mx.array(rows), scheme, search=search, dtype=dtype)


@every_scheme
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_the_largest_finite_numbers_are_numbers(scheme: Scheme, dtype: mx.Dtype):
    largest = 2000.0 if scheme.mode == "nvfp4" else mx.finfo(dtype).max
    quantise_rows(mx.full((1, 128), largest), scheme, dtype=dtype)


@every_scheme
def test_numbers_beyond_the_output_dtype_are_not_finite_in_it(scheme: Scheme):
    rows = mx.full((1, 128), 70_000.0)
    with pytest.raises(ValueError, match="not finite in float16"):
        quantise_rows(rows, scheme, dtype=mx.float16)


@pytest.mark.parametrize("search", [False, True])
def test_a_range_that_no_scale_holds_is_refused(search: bool):
    rows = mx.array([[3e38, -3e38] * 32])
    with pytest.raises(
        ValueError, match="a group with a range that bfloat16 cannot hold"
    ):
        quantise_rows(rows, Scheme(4), search=search)


def test_nvfp4_refuses_what_it_would_cut_off():
    quantise_rows(mx.full((1, 64), 2688.0), Scheme(4, 16, "nvfp4"))
    with pytest.raises(ValueError, match="numbers up to 3072, nvfp4 ends at 2688"):
        quantise_rows(mx.full((1, 64), -3072.0), Scheme(4, 16, "nvfp4"))


@pytest.mark.parametrize("mode", FP_MODES)
def test_there_is_nothing_to_search_for_in_floating_point_modes(mode: str):
    bits, group_size = FP_MODES[mode]
    scheme = Scheme(bits, group_size, mode)
    rows = weights(4, 128)
    plain = list(quantise_rows(rows, scheme))
    assert are_equal(list(quantise_rows(rows, scheme, search=True)), plain)


def test_rows_are_two_dimensional_and_whole_groups():
    with pytest.raises(ValueError, match=r"wanted \(n, columns\)"):
        quantise_rows(mx.zeros((2, 2, 64)), Scheme(4))
    message = "96 columns are no multiple of the group size 64"
    with pytest.raises(ValueError, match=message):
        packed_shapes((2, 96), Scheme(4))


@pytest.mark.parametrize(
    ("scheme", "columns"), [(Scheme(4), 96), (Scheme(4, 16, "nvfp4"), 48)]
)
def test_rows_that_mlx_cannot_pack_are_refused(scheme: Scheme, columns: int):
    with pytest.raises(ValueError, match=f"{columns} columns .* multiple of"):
        quantise_rows(mx.zeros((2, columns)), scheme)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, -np.nan])
@pytest.mark.parametrize("others", [1.0, -1.0])
def test_one_number_that_is_not_finite_is_found(
    dtype: mx.Dtype, bad: float, others: float
):
    numbers = np.full((3, 5), others, np.float32)
    assert all_finite(mx.array(numbers).astype(dtype))
    largest = mx.finfo(dtype).max * others
    assert all_finite(mx.full((3, 5), largest, dtype=dtype))
    numbers[1, 2] = bad
    assert not all_finite(mx.array(numbers).astype(dtype))
