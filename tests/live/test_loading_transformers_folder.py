"""A model that transformers saved loads here and computes the same logits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.loading import load_model
from tests.checkpoint_forms import CONFIG, config_with

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

GRID = [(1, 4, 6)]
IDS = [1, 2, 192, *[190] * 6, 193, 17, 42, 5]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def reference(config: dict[str, Any]) -> Any:
    """A random model whose router and norms are not at their initial values."""
    torch.manual_seed(5)
    config = {name: value for name, value in config.items() if name != "architectures"}
    cls = transformers.Glm4vMoeForConditionalGeneration
    model = cls(transformers.Glm4vMoeConfig(**config)).float().eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            is_norm = "norm" in name and name.endswith("weight")
            noise = torch.randn_like(tensor) * (0.1 if is_norm else 0.15)
            tensor.copy_(1 + noise if is_norm else noise)
    return model


def reference_logits(model: Any, pixels: np.ndarray) -> np.ndarray:
    ids = torch.tensor([IDS])
    with torch.no_grad():
        output = model(
            input_ids=ids,
            pixel_values=torch.from_numpy(pixels),
            image_grid_thw=torch.tensor(GRID),
            mm_token_type_ids=(ids == CONFIG["image_token_id"]).int(),
            use_cache=False,
        )
    return output.logits.numpy()


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        pytest.param({}, {}, id="one file"),
        pytest.param({}, {"max_shard_size": "100KB"}, id="many shards"),
        pytest.param({}, {"save_original_format": False}, id="names of the classes"),
        pytest.param({"tie_word_embeddings": True}, {}, id="tied embeddings"),
    ],
)
def test_a_saved_model_computes_the_same_logits(
    tmp_path: Path, changes: dict[str, Any], options: dict[str, Any]
):
    model = reference(config_with(**changes))
    model.save_pretrained(tmp_path, **options)
    pixels = np.random.default_rng(3).standard_normal((24, 1176)).astype(np.float32)
    expected = reference_logits(model, pixels)
    found = load_model(tmp_path)(
        input_ids=mx.array([IDS]), pixel_values=mx.array(pixels), image_grid_thw=GRID
    )
    difference = np.abs(np.array(found.logits) - expected).max()
    assert difference < 1e-4 * expected.std()


def test_many_shards_were_many(tmp_path: Path):
    reference(CONFIG).save_pretrained(tmp_path, max_shard_size="100KB")
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 3
