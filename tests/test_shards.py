"""The files of a folder decide; an index that says otherwise is reported or refused."""

from __future__ import annotations

import json
from pathlib import Path

import mlx.core as mx
import pytest

from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.shards import INDEX_NAME, listed, read_shards
from tests.checkpoint_forms import write_file, write_index

ONE = mx.ones(3)


def write(folder: Path, name: str, *tensors: str, format: str | None = "pt") -> None:
    write_file(folder / name, dict.fromkeys(tensors, ONE), format=format)


def test_tensors_of_all_files_are_joined(tmp_path: Path):
    write(tmp_path, "model-00001-of-00002.safetensors", "a", "b")
    write(tmp_path, "model-00002-of-00002.safetensors", "c")
    shards = read_shards(tmp_path)
    assert {name: info.file.name[:11] for name, info in shards.tensors.items()} == {
        "a": "model-00001",
        "b": "model-00001",
        "c": "model-00002",
    }
    assert shards.warnings == ()


@pytest.mark.parametrize(
    ("format", "expected"), [("mlx", "mlx"), ("pt", "hf"), (None, "hf")]
)
def test_the_header_names_the_layout(tmp_path: Path, format: str | None, expected: str):
    write(tmp_path, "model.safetensors", "a", format=format)
    assert read_shards(tmp_path).format == expected


def test_mixed_formats_are_refused(tmp_path: Path):
    write(tmp_path, "model.safetensors", "a", format="mlx")
    write(tmp_path, "other.safetensors", "b", format="pt")
    with pytest.raises(CheckpointError, match=r"mixes .*model.*other"):
        read_shards(tmp_path)


def test_a_tensor_in_two_files_is_refused(tmp_path: Path):
    write(tmp_path, "model.safetensors", "a")
    write_file(tmp_path / "other.safetensors", {"a": mx.zeros(3)})
    with pytest.raises(CheckpointError, match=r"a lies in .*model.*other"):
        read_shards(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "x.incomplete",
        "x.part",
        "model.safetensors.aria2",
        "convert.journal",
        "x.partial",
    ],
)
def test_an_unfinished_folder_is_refused(tmp_path: Path, name: str):
    write(tmp_path, "model.safetensors", "a")
    (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=f"not finished: {name}"):
        read_shards(tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"holds no \*\.safetensors"):
        read_shards(tmp_path)


def test_shadow_files_of_macos_are_ignored(tmp_path: Path):
    write(tmp_path, "model.safetensors", "a")
    (tmp_path / "._model.safetensors").write_bytes(b"\0\5\x16\7")
    assert list(read_shards(tmp_path).tensors) == ["a"]


@pytest.mark.parametrize("first", [0, 1])
def test_missing_numbers_of_a_series_are_named(tmp_path: Path, first: int):
    for number in (first, first + 2):
        write(tmp_path, f"model-{number:05d}-of-00004.safetensors", f"t{number}")
    with pytest.raises(CheckpointError, match="lacks 2 of 4") as caught:
        read_shards(tmp_path)
    assert f"model-{first + 1:05d}-of-00004" in str(caught.value)
    assert f"model-{first + 3:05d}-of-00004" in str(caught.value)


def test_an_index_of_files_that_never_were_is_reported(tmp_path: Path):
    """As published for GLM-4.5V-4bit: 46 files listed, 12 others there."""
    for number in (1, 2, 3):
        write(tmp_path, f"model-{number:05d}-of-00003.safetensors", f"t{number}")
    listed_files = {
        f"old{n}": f"model-{n % 46 + 1:05d}-of-00046.safetensors" for n in range(200)
    }
    write_index(tmp_path, listed_files)
    shards = read_shards(tmp_path)
    assert set(shards.tensors) == {"t1", "t2", "t3"}
    assert "lists 46 files that do not exist" in shards.warnings[0]
    assert "the 3 that do are used" in shards.warnings[0]


def test_listed_files_are_missed_only_when_their_tensors_are(tmp_path: Path):
    write(tmp_path, "first.safetensors", "a", "b")
    write_index(tmp_path, {"a": "first.safetensors", "b": "second.safetensors"})
    assert "second" in read_shards(tmp_path).warnings[0]
    write_index(tmp_path, {"a": "first.safetensors", "c": "second.safetensors"})
    with pytest.raises(
        CheckpointError, match=r"lacks second\.safetensors with 1 tensors"
    ):
        read_shards(tmp_path)


def test_tensors_the_index_does_not_know_or_misplaces_are_reported(tmp_path: Path):
    write(tmp_path, "first.safetensors", "a")
    write(tmp_path, "second.safetensors", "b", "c")
    write_index(
        tmp_path,
        {"a": "second.safetensors", "b": "second.safetensors"},
    )
    warnings = " ".join(read_shards(tmp_path).warnings)
    assert "does not list 1 of 3 tensors (c)" in warnings
    assert "places 1 tensors in files that do not hold them (a)" in warnings


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"weight_map": 3}', b'{"weight_map": {"a": 3}}'],
)
def test_a_damaged_index_is_refused_with_advice(tmp_path: Path, content: bytes):
    write(tmp_path, "model.safetensors", "a")
    (tmp_path / INDEX_NAME).write_bytes(content)
    with pytest.raises(CheckpointError, match="or delete it"):
        read_shards(tmp_path)


def test_an_index_as_transformers_writes_it_is_silent(tmp_path: Path):
    write(tmp_path, "model-00001-of-00001.safetensors", "a")
    document = {
        "metadata": {"total_size": 12, "total_parameters": 3},
        "weight_map": {"a": "model-00001-of-00001.safetensors"},
    }
    (tmp_path / INDEX_NAME).write_text(json.dumps(document))
    assert read_shards(tmp_path).warnings == ()


@pytest.mark.parametrize(
    ("count", "text"), [(2, "n0, n1"), (3, "n0, n1, n2"), (5, "n0, n1, n2 and 2 more")]
)
def test_long_lists_are_cut(count: int, text: str):
    assert listed([f"n{i}" for i in range(count)], limit=3) == text
