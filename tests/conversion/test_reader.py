"""Rows of every stored form come out in float32, whatever the blocks are."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.conversion.fp8 import E4M3
from mlx_glm45v.conversion.reader import Reader
from mlx_glm45v.conversion.stored import (
    Packed,
    Plain,
    ScaledBlocks,
    ScaledRows,
    Span,
    Stored,
)
from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.parameters.recipes import Scheme
from mlx_glm45v.safetensors_header import TensorInfo, read_header
from tests.conversion.forms import Raw, raw, write_source

ROWS, COLUMNS = 12, 64
VALUES = np.random.default_rng(1).standard_normal((ROWS, COLUMNS)).astype(np.float32)
CODES = np.random.default_rng(2).integers(0, 0x7F, (ROWS, COLUMNS)).astype(np.uint8)


def stored_as(folder: Path, **tensors: Raw) -> dict[str, TensorInfo]:
    """Tensors on disk, behind another one so that no offset is 0."""
    write_source(folder, {}, {"before": raw(np.ones(3, np.float32)), **tensors})
    return dict(read_header(next(folder.glob("*.safetensors"))).tensors)


def span_of(stored: Stored, rows: int = ROWS, at: int = 0, of: int = ROWS) -> Span:
    return Span("w", stored, 0, rows, COLUMNS, at, of)


def read(span: Span, numbers: int = 200) -> np.ndarray:
    with Reader() as reader:
        blocks = list(reader.blocks(span, numbers=numbers))
    found = np.concatenate([np.array(rows.astype(mx.float32)) for _, rows in blocks])
    starts = np.cumsum([0, *(rows.shape[0] for _, rows in blocks)])[:-1]
    assert [start for start, _ in blocks] == starts.tolist()
    return found


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16])
def test_floats_are_read_exactly(tmp_path: Path, dtype: mx.Dtype):
    array = mx.array(VALUES).astype(dtype)
    infos = stored_as(tmp_path, w=raw(array))
    found = read(span_of(Plain(infos["w"])))
    np.testing.assert_array_equal(found, np.array(array.astype(mx.float32)))


@settings(max_examples=30, deadline=None)
@given(at=st.integers(0, ROWS - 1), data=st.data(), numbers=st.integers(1, 2000))
def test_any_rows_in_any_blocks_are_those_rows(
    tmp_path_factory: pytest.TempPathFactory, at: int, data: st.DataObject, numbers: int
):
    count = data.draw(st.integers(1, ROWS - at))
    infos = stored_as(tmp_path_factory.mktemp("rows"), w=raw(VALUES))
    found = read(span_of(Plain(infos["w"]), count, at), numbers)
    np.testing.assert_array_equal(found, VALUES[at : at + count])


def test_a_block_holds_no_more_than_it_may(tmp_path: Path):
    infos = stored_as(tmp_path, w=raw(VALUES))
    with Reader() as reader:
        for numbers, rows in ((200, 3), (64, 1), (1, 1), (10**6, ROWS)):
            blocks = reader.blocks(span_of(Plain(infos["w"])), numbers=numbers)
            assert next(blocks)[1].shape == (rows, COLUMNS)


def test_kernels_are_transposed_within_their_rows(tmp_path: Path):
    kernel = VALUES.reshape(ROWS, 4, 2, 8)
    infos = stored_as(tmp_path, w=raw(kernel))
    found = read(span_of(Plain(infos["w"], (0, 2, 3, 1))))
    wanted = kernel.transpose(0, 2, 3, 1).reshape(ROWS, COLUMNS)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16])
@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 1)])
def test_fp8_rows_are_their_values_times_their_scales(
    tmp_path: Path, dtype: mx.Dtype, shape: tuple[int, ...]
):
    scales = mx.array(VALUES[:, 0]).astype(dtype)
    infos = stored_as(tmp_path, w=raw(CODES, "F8_E4M3"), s=raw(scales.reshape(shape)))
    found = read(span_of(ScaledRows(infos["w"], infos["s"])))
    wanted = E4M3[CODES] * np.array(scales.astype(mx.float32))[:, None]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("block", [(4, 16), (5, 24), (128, 128), (1, 1)])
@pytest.mark.parametrize("numbers", [1, 200, 10**6])
def test_fp8_blocks_are_their_values_times_their_scales(
    tmp_path: Path, block: tuple[int, int], numbers: int
):
    tall, wide = -(-ROWS // block[0]), -(-COLUMNS // block[1])
    scales = np.arange(1, tall * wide + 1, dtype=np.float32).reshape(tall, wide) / 7
    infos = stored_as(tmp_path, w=raw(CODES, "F8_E4M3"), s=raw(scales))
    found = read(span_of(ScaledBlocks(infos["w"], infos["s"], block)), numbers)
    spread = np.kron(scales, np.ones(block, np.float32))[:ROWS, :COLUMNS]
    np.testing.assert_array_equal(found, E4M3[CODES] * spread)


@pytest.mark.parametrize("code", [0x7F, 0xFF])
def test_fp8_codes_for_no_number_are_refused_with_tensor_and_row(
    tmp_path: Path, code: int
):
    codes = CODES.copy()
    codes[7, 3] = code
    infos = stored_as(
        tmp_path, w=raw(codes, "F8_E4M3"), s=raw(np.ones(ROWS, np.float32))
    )
    with pytest.raises(CheckpointError, match=r"w holds 1 FP8 codes .* row 7"):
        read(span_of(ScaledRows(infos["w"], infos["s"])))


@pytest.mark.parametrize(
    "scheme",
    [
        *(Scheme(bits, 32) for bits in (2, 3, 4, 5, 6, 8)),
        Scheme(4, 64),
        Scheme(4, 32, "mxfp4"),
        Scheme(8, 32, "mxfp8"),
        Scheme(4, 16, "nvfp4"),
    ],
    ids=str,
)
def test_packed_rows_are_dequantised(tmp_path: Path, scheme: Scheme):
    options = {
        "group_size": scheme.group_size,
        "bits": scheme.bits,
        "mode": scheme.mode,
    }
    arrays = mx.quantize(mx.array(VALUES), **options)
    infos = stored_as(
        tmp_path, **dict(zip(("w", "s", "b"), map(raw, arrays), strict=False))
    )
    packed = Packed(infos["w"], infos["s"], infos.get("b"), scheme)
    wanted = mx.dequantize(*arrays, **options, dtype=mx.float32)
    np.testing.assert_array_equal(read(span_of(packed)), np.array(wanted))


def test_what_is_copied_are_the_stored_bytes(tmp_path: Path):
    arrays = mx.quantize(mx.array(VALUES), group_size=64, bits=4)
    names = ("w", "s", "b")
    stored = dict(zip(names, map(raw, arrays), strict=True))
    infos = stored_as(tmp_path, **stored)
    packed = Packed(*(infos[name] for name in names), Scheme(4, 64))
    with Reader() as reader:
        blocks = list(reader.copies(span_of(packed), numbers=200))
    for index, name in enumerate(names):
        found = b"".join(arrays[index].tobytes() for _, arrays in blocks)
        assert found == stored[name].data


def test_bytes_read_are_counted(tmp_path: Path):
    infos = stored_as(tmp_path, w=raw(VALUES))
    with Reader() as reader:
        list(reader.blocks(span_of(Plain(infos["w"]), 5, 2), numbers=200))
        assert reader.bytes_read == 5 * COLUMNS * 4


def test_a_file_that_was_cut_says_what_to_do(tmp_path: Path):
    infos = stored_as(tmp_path, w=raw(VALUES))
    file = infos["w"].file
    with file.open("r+b") as stream:
        stream.truncate(infos["w"].stop - 1)
    with pytest.raises(CheckpointError, match=r"was cut .* start the conversion again"):
        read(span_of(Plain(infos["w"])))


def test_a_file_that_is_gone_says_what_to_do(tmp_path: Path):
    infos = stored_as(tmp_path, w=raw(VALUES))
    infos["w"].file.unlink()
    with pytest.raises(CheckpointError, match=r"No such file .* goes on where"):
        read(span_of(Plain(infos["w"])))
