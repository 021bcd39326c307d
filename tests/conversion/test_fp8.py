"""E4M3's table is exact, and block scales spread over the values they are for."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.conversion.fp8 import E4M3, has_nan, is_nan, spread_blocks

CODES = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (0x00, 0.0),
        (0x01, 2**-9),
        (0x07, 7 * 2**-9),
        (0x08, 2**-6),
        (0x38, 1.0),
        (0x39, 1.125),
        (0x7E, 448.0),
        (0x81, -(2**-9)),
        (0xB8, -1.0),
        (0xFE, -448.0),
    ],
)
def test_known_codes_have_their_values(code: int, value: float):
    assert E4M3[code] == value


def test_all_codes_agree_with_mlx():
    theirs = np.array(mx.from_fp8(mx.array(CODES), dtype=mx.float32))
    np.testing.assert_array_equal(E4M3, theirs)
    signs = np.signbit(E4M3) | np.isnan(E4M3)
    np.testing.assert_array_equal(signs, (CODES > 0x7F) | (CODES == 0x7F))


def test_only_two_codes_stand_for_no_number():
    assert CODES[is_nan(CODES)].tolist() == [0x7F, 0xFF]
    np.testing.assert_array_equal(is_nan(CODES), np.isnan(E4M3))


@pytest.mark.parametrize("block", [(2, 3), (1, 1), (4, 8), (128, 128)])
@pytest.mark.parametrize("first_row", [0, 1, 3])
def test_each_value_gets_the_scale_of_its_block(block: tuple[int, int], first_row: int):
    rows, columns = 5, 7
    tall = -(-(first_row + rows) // block[0])
    wide = -(-columns // block[1])
    scales = np.arange(tall * wide, dtype=np.float32).reshape(tall, wide)
    spread = spread_blocks(
        scales, first_row=first_row, shape=(rows, columns), block=block
    )
    wanted = [
        [scales[(first_row + r) // block[0], c // block[1]] for c in range(columns)]
        for r in range(rows)
    ]
    np.testing.assert_array_equal(spread, wanted)


@pytest.mark.parametrize("code", range(256))
@pytest.mark.parametrize("others", [0x00, 0x80])
def test_one_code_for_no_number_is_found(code: int, others: int):
    codes = np.full((2, 3), others, np.uint8)
    codes[1, 1] = code
    assert has_nan(codes) == bool(is_nan(codes).any())
