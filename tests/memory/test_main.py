"""`python -m mlx_glm45v.memory`: from folders, repositories and configs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlx_glm45v.memory.__main__ import main
from tests.hub.stand_in import point_to, stand_in_hub
from tests.memory.configs import GLM45V, affine, write_sparse

HELP = """
import sys, time
from mlx_glm45v.memory.__main__ import main
try:
    main(["--help"])
except SystemExit:
    heavy = {"mlx.core", "numpy", "huggingface_hub"} & set(sys.modules)
    print(time.process_time(), sorted(heavy))
"""


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "GLM-4.5V-4bit.config.json"
    path.write_text(json.dumps({**GLM45V, "quantization": affine(4)}))
    return path


def test_help_waits_for_nothing():
    done = subprocess.run(
        [sys.executable, "-c", HELP], capture_output=True, check=True, text=True
    )
    seconds, heavy = done.stdout.splitlines()[-1].split(maxsplit=1)
    assert float(seconds) < 0.5
    assert heavy == "[]"


def test_a_config_file_is_enough(config_file: Path, capsys):
    words = ["--model", str(config_file), "--context", "32768", "--images", "1"]
    main(words)
    said = capsys.readouterr().out
    for row in ("weights            61.9 GB", "context             6.2 GB", "total "):
        assert row in said
    assert "96 GB   77.3 GB for the GPU  fits" in said
    assert "this machine" in said or "this Apple" in said
    assert "Conversations answered before stay in memory, up to 6.2 GB" in said
    assert "features of their pictures, up to 0.5 GB; they leave for a" in said


def test_json_is_one_document(config_file: Path, capsys):
    words = ["--model", str(config_file), "--context", "4096", "--kv-bits", "8"]
    main([*words, "--video-seconds", "1", "--image-tokens", "100", "--json"])
    document = json.loads(capsys.readouterr().out)
    sizes = document["mac"]
    assert sizes["weights"] == 61_904_371_200
    assert sizes["kv"] == 4096 * 188_416 * 17 // 32
    assert sizes["request"]["video_seconds"] == 1
    assert [m["fits"] for m in document["macs"]][-1] == "yes"
    assert document["weights_from"] == "the config"


def test_the_demo_is_read_by_its_headers(capsys):
    assert main(["--model", "demo", "--images", "1"]) == 0
    said = capsys.readouterr().out
    assert "the files' headers" in said
    assert "24 tokens" in said  # its preprocessor_config allows no more


def test_a_folder_of_215_gigabytes_costs_its_headers(tmp_path: Path, capsys):
    main(["--model", str(write_sparse(tmp_path, GLM45V))])
    assert "weights           215.5 GB" in capsys.readouterr().out


def test_a_repository_is_judged_without_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    files = {
        "config.json": json.dumps({**GLM45V, "quantization": affine(4)}).encode(),
        "preprocessor_config.json": b'{"size": {"longest_edge": 156800}}',
        "model.safetensors": b"never read",
    }
    with stand_in_hub({"some/model": files}) as hub:
        hub.listed_sizes["model.safetensors"] = 61_000_000_000
        point_to(hub, monkeypatch)
        main(["--model", "some/model", "--images", "2", "--json"])
        assert not any(path.endswith(".safetensors") for path, _ in hub.seen)
    document = json.loads(capsys.readouterr().out)
    assert document["weights_from"] == "the Hub's listing"
    assert document["mac"]["weights"] == 61_000_000_000
    assert document["mac"]["request"]["image_tokens"] == 100


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--context", "70000"], "70,000 tokens is more than the model's 65,536"),
        (["--images", "9"], "raise the context"),
        (["--model", "./nowhere"], "nowhere does not exist"),
    ],
)
def test_what_cannot_be_told_is_one_line_and_status_1(
    config_file: Path, capsys, words: list[str], said: str
):
    assert main(["--model", str(config_file), *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_weights_that_cannot_run_are_refused_by_name(tmp_path: Path, capsys):
    path = tmp_path / "config.json"
    foreign = {"quant_method": "compressed-tensors"}
    path.write_text(json.dumps({**GLM45V, "quantization_config": foreign}))
    assert main(["--model", str(path)]) == 1
    assert "'compressed-tensors'" in capsys.readouterr().err
