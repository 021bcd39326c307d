"""Headers tell where tensors lie; damaged files are described with numbers."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.safetensors_header import read_header
from tests.checkpoint_forms import write_file

TENSORS = {"a": mx.arange(6, dtype=mx.float32).reshape(2, 3), "b": mx.zeros(5)}


def encoded(table: Any, data: bytes = b"") -> bytes:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data


def row(start: int, stop: int, *, dtype: str = "F32", shape: Any = (1,)) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


def test_offsets_lead_to_the_bytes(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    save_file({"a": np.arange(6.0).reshape(2, 3), "b": np.zeros(5, np.uint8)}, path)
    info = read_header(path).tensors["a"]
    assert (info.dtype, info.shape, info.nbytes) == ("F64", (2, 3), 48)
    stored = path.read_bytes()[info.start : info.stop]
    np.testing.assert_array_equal(np.frombuffer(stored), np.arange(6.0))


def test_what_mlx_writes_is_read_with_its_metadata(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    arrays = {"w": mx.zeros((2, 2), mx.bfloat16)}
    mx.save_safetensors(str(path), arrays, metadata={"format": "mlx"})
    header = read_header(path)
    assert header.metadata == {"format": "mlx"}
    assert header.tensors["w"].dtype == "BF16"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"\x10\x00", "truncated: 2 bytes"),
        (struct.pack("<Q", 50) + b"{}", "10 bytes found, its header alone ends at 58"),
        (b"\xff" * 64, "not a safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "not a safetensors file"),
        (encoded(b"{nonsense"), "not valid JSON"),
        (encoded(b"\xff\xfe\xfd"), "not valid JSON"),
        (encoded([1, 2]), "not a table"),
        (encoded({"__metadata__": 3}), "__metadata__ is not a table"),
        (encoded({"a": {"dtype": "F32"}}), "entry for a is incomplete"),
        (encoded({"a": 3}), "entry for a is incomplete"),
        (encoded({"a": row(0, 4, dtype="F99")}, bytes(4)), "unknown dtype 'F99'"),
        (encoded({"a": row(0, 4, shape=[-1])}, bytes(4)), "not all counts"),
        (encoded({"a": row(0, 4, shape=[1.5])}, bytes(4)), "not all counts"),
        (encoded({"a": row(0, 4, shape=[2])}, bytes(4)), "takes 8 bytes.* span 4"),
        (encoded({"a": row(4, 0)}, bytes(4)), "span -4"),
        (encoded({"a": row(4, 8)}, bytes(8)), "starts at byte"),
        (encoded({"a": row(0, 4), "b": row(0, 4)}, bytes(4)), "starts at byte"),
        (encoded({"a": row(0, 4), "b": row(8, 12)}, bytes(12)), "starts at byte"),
        (encoded({"a": row(0, 4)}, bytes(3)), r"truncated: \d+ bytes found, \d+ exp"),
        (encoded({"a": row(0, 4)}, bytes(5)), r"too long: \d+ bytes found, \d+ exp"),
    ],
)
def test_damage_is_described_with_the_file_name(
    tmp_path: Path, content: bytes, message: str
):
    path = tmp_path / "model-00002-of-00007.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_header(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "make", [Path.absolute, Path.mkdir], ids=["missing", "directory"]
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, make: Callable[[Path], object]
):
    path = tmp_path / "x.safetensors"
    make(path)
    with pytest.raises(CheckpointError, match=r"x\.safetensors cannot be read"):
        read_header(path)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 400))
def test_a_file_cut_anywhere_is_never_read_as_whole(
    tmp_path_factory: pytest.TempPathFactory, cut: int
):
    path = tmp_path_factory.mktemp("cut") / "x.safetensors"
    write_file(path, TENSORS)
    whole = path.read_bytes()
    path.write_bytes(whole[: min(cut, len(whole) - 1)])
    with pytest.raises(CheckpointError, match=r"truncated|empty"):
        read_header(path)


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200))
def test_garbage_is_a_checkpoint_error_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
):
    path = tmp_path_factory.mktemp("garbage") / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        read_header(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(table=JSON)
def test_any_json_header_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, table: Any
):
    path = tmp_path_factory.mktemp("json") / "x.safetensors"
    path.write_bytes(encoded(table, bytes(4)))
    with suppress(CheckpointError):
        read_header(path)
