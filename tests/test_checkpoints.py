"""Names lead to folders, and folders to configs and headers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from mlx_glm45v.checkpoints import find_folder, read_checkpoint, resolve
from mlx_glm45v.errors import CheckpointError
from tests.checkpoint_forms import CONFIG, config_with, write_file, write_folder
from tests.hub.stand_in import stand_in_hub

TENSORS = {"lm_head.weight": mx.ones((2, 3))}
AFFINE = {"group_size": 64, "bits": 4}


def test_a_folder_is_read(tmp_path: Path):
    write_folder(tmp_path, CONFIG, TENSORS)
    checkpoint = resolve(tmp_path)
    assert checkpoint.folder == tmp_path
    assert checkpoint.config == CONFIG
    assert checkpoint.tensors["lm_head.weight"].shape == (2, 3)
    assert checkpoint.nbytes == 24
    assert checkpoint.format == "hf"
    assert checkpoint.quantization is checkpoint.quant_method is None


def test_the_demo_has_a_name():
    folder = find_folder("demo")
    assert folder.parts[-3:] == ("mlx_glm45v", "demo", "checkpoint")


def test_a_folder_goes_before_a_repository_of_the_same_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_folder(tmp_path / "org" / "name", CONFIG, TENSORS)
    monkeypatch.chdir(tmp_path)
    assert find_folder("org/name") == Path("org/name")


@pytest.mark.parametrize(
    "name",
    [
        "GLM-4.5V",
        "./org/name",
        "../name",
        "/nowhere/at/all",
        "a/b/c",
        "org/",
        "",
        "~/nowhere",
        Path("org/name"),
    ],
)
def test_what_is_neither_a_folder_nor_a_repository_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | Path
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"does not exist|cannot be read"):
        resolve(name)


def test_a_file_is_not_a_folder(tmp_path: Path):
    write_file(tmp_path / "model.safetensors", TENSORS)
    with pytest.raises(CheckpointError, match="is a file; give the folder"):
        resolve(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"config\.json cannot be read"),
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[]", "no table"),
        (b"{}", "model of type None"),
        (b'{"model_type": "glm4v"}', "type 'glm4v', the dense model of"),
        (b'{"model_type": "glm4_moe"}', "without pictures"),
        (b'{"model_type": "llama"}', "type 'llama'; this library runs 'glm4v_moe'"),
        (b'{"model_type": 3}', "type 3"),
    ],
)
def test_a_config_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, message: str
):
    write_folder(tmp_path, CONFIG, TENSORS)
    if content is None:
        (tmp_path / "config.json").unlink()
    else:
        (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        resolve(tmp_path)
    assert str(tmp_path / "config.json") in str(caught.value)


@pytest.mark.parametrize(
    ("config", "quantization", "method"),
    [
        ({"quantization": AFFINE}, AFFINE, None),
        ({"quantization_config": AFFINE}, AFFINE, None),
        ({"quantization": AFFINE, "quantization_config": AFFINE}, AFFINE, None),
        ({"quantization": None, "quantization_config": None}, None, None),
        ({"quantization_config": {"quant_method": "fp8"}}, None, "fp8"),
        (
            {"text_config": {"quantization_config": {"quant_method": "awq"}}},
            None,
            "awq",
        ),
    ],
)
def test_the_quantisation_is_told_apart(
    tmp_path: Path, config: dict[str, Any], quantization: Any, method: str | None
):
    write_folder(tmp_path, config_with(**config), TENSORS, format="mlx")
    checkpoint = resolve(tmp_path)
    assert checkpoint.quantization == quantization
    assert checkpoint.quant_method == method


@pytest.mark.parametrize(
    "config",
    [
        {"quantization_config": {"load_in_4bit": True}},
        {"quantization": ["affine"]},
        {"quantization_config": "4bit"},
    ],
)
def test_a_quantisation_without_a_name_is_refused(
    tmp_path: Path, config: dict[str, Any]
):
    write_folder(tmp_path, config_with(**config), TENSORS)
    with pytest.raises(CheckpointError, match=r"quantization"):
        resolve(tmp_path)


def test_what_the_index_gets_wrong_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    write_folder(tmp_path, CONFIG, TENSORS)
    index = {"weight_map": {"lm_head.weight": "model-00001-of-00046.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    checkpoint = read_checkpoint(tmp_path)
    assert len(checkpoint.warnings) == 1
    assert "do not exist" in caplog.text


# The whole way, in a process of its own, because huggingface_hub reads HF_HOME and
# HF_HUB_OFFLINE when it is imported.

SCRIPT = """
import sys
from mlx_glm45v.checkpoints import resolve
from mlx_glm45v.errors import Glm45vError
try:
    print(resolve(sys.argv[1]).folder)
except Glm45vError as error:
    print(type(error).__name__, error)
"""


def resolved_elsewhere(name: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, name],
        env={**os.environ, "NO_PROXY": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def test_a_repository_is_fetched_once_and_then_found_offline(tmp_path: Path):
    source = write_folder(tmp_path / "source", CONFIG, TENSORS)
    files = {file.name: file.read_bytes() for file in source.iterdir()}
    dense = {**files, "config.json": b'{"model_type": "glm4v"}'}
    home = str(tmp_path / "home")
    with stand_in_hub({"some/tiny": files, "some/dense": dense}) as hub:
        online = {"HF_ENDPOINT": hub.url, "HF_HOME": home, "HF_HUB_OFFLINE": "0"}
        fetched = resolved_elsewhere("some/tiny", **online)
        assert fetched.startswith(home)
        offline = {**online, "HF_HUB_OFFLINE": "1"}
        assert resolved_elsewhere("some/tiny", **offline) == fetched
        refused = resolved_elsewhere("some/other", **offline)
        assert refused.startswith("DownloadError some/other is not in")
        hub.seen.clear()
        assert "'glm4v', the dense" in resolved_elsewhere("some/dense", **online)
        assert not any(path.endswith(".safetensors") for path, _ in hub.seen)
