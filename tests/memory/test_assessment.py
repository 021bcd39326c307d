"""A listed model comes with its verdict and the sum behind it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.memory import assess_folder, assess_size, mac
from tests.memory.configs import glm45v


def test_the_demo_fits_a_small_mac(demo_folder: Path):
    found = assess_folder(demo_folder, machine=mac(16))
    assert found.stored == "floats"
    assert found.verdict is not None
    assert found.verdict.fits == "yes"
    assert found.sums[0].startswith("weights")


@pytest.mark.parametrize(
    ("memory", "fits"), [(16, "no"), (64, "streamed"), (96, "yes")]
)
def test_a_model_that_is_not_here_is_judged_by_its_size(memory: int, fits: str):
    found = assess_size(glm45v(), 61_900_000_000, bits=4, machine=mac(memory))
    assert found.verdict is not None
    assert found.verdict.fits == fits
    assert any(line.startswith("total") for line in found.sums)


def test_another_makers_quantisation_gets_no_verdict(demo_folder: Path, tmp_path: Path):
    folder = shutil.copytree(demo_folder, tmp_path / "fp8")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "compressed-tensors"}
    (folder / "config.json").write_text(json.dumps(config))
    found = assess_folder(folder, machine=mac(96))
    assert (found.stored, found.verdict) == ("foreign", None)


def test_a_folder_without_a_model_says_so(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        assess_folder(tmp_path)
