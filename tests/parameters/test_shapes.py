from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mlx.utils import tree_flatten

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from mlx_glm45v.parameters.shapes import count_parameters, parameter_shapes
from tests.checkpoint_forms import CONFIG, config_with

REAL = Path(__file__).parents[2] / "../shared/checkpoints/GLM-4.5V.config.json"
VISION = CONFIG["vision_config"]

CONFIGS: dict[str, dict[str, Any]] = {
    "tiny": CONFIG,
    "tied": config_with(tie_word_embeddings=True),
    "no biases": config_with(text_config={"attention_bias": False}),
    "no shared expert": config_with(text_config={"n_shared_experts": 0}),
    "two shared experts": config_with(text_config={"n_shared_experts": 2}),
    "experts only": config_with(text_config={"first_k_dense_replace": 0}),
    "dense only": config_with(text_config={"first_k_dense_replace": 9}),
    "two dense layers": config_with(text_config={"first_k_dense_replace": 2}),
    "other heads": config_with(
        text_config={"num_attention_heads": 6, "num_key_value_heads": 3}
    ),
    "vision biases": config_with(vision_config={**VISION, "attention_bias": True}),
    "another tower": config_with(
        vision_config={**VISION, "patch_size": 7, "spatial_merge_size": 4, "depth": 1}
    ),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_keys_and_shapes_are_the_models_own(config: dict[str, Any]):
    parsed = Glm4vMoeConfig.from_dict(config)
    model = Glm4vMoeForConditionalGeneration(parsed)
    own = {key: array.shape for key, array in tree_flatten(model.parameters())}
    assert parameter_shapes(parsed) == own


@pytest.mark.skipif(not REAL.exists(), reason="the published config is not here")
def test_the_published_config_has_the_published_number_of_parameters():
    config = Glm4vMoeConfig.from_dict(json.loads(REAL.read_text(encoding="utf-8")))
    assert count_parameters(config) == 107_710_933_120
