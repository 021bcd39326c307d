"""How many steps one decoded token takes, at GLM-4.5V's depth."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from benchmarks.engine_case import count_nodes
from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.model.fuse import fuse_projections
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from tests.checkpoint_forms import config_with

LAYERS = 46
# Of the CPU backend, which takes norms, rotations and attention apart and compiles
# nothing: a GPU has about half. mlx-vlm 0.7.10 has 76.5 by the same count.
NODES_OF_A_LAYER = 58


@pytest.fixture(scope="module")
def model() -> Glm4vMoeForConditionalGeneration:
    config = config_with(
        text_config={"num_hidden_layers": LAYERS, "num_experts_per_tok": 8}
    )
    model = Glm4vMoeForConditionalGeneration(Glm4vMoeConfig.from_dict(config))
    nn.quantize(model.language_model, group_size=64, bits=4)
    for layer in model.language_model.model.layers:
        fuse_projections(layer)
    mx.eval(model.language_model.parameters())
    return model


def nodes(tmp_path: Path, array: mx.array) -> int:
    file = tmp_path / "graph.dot"
    mx.export_to_dot(str(file), array)
    return count_nodes(file.read_text())


def test_a_decoded_token_takes_few_steps(
    model: Glm4vMoeForConditionalGeneration, tmp_path: Path
) -> None:
    cache = model.make_cache()
    mx.eval(model(mx.arange(8)[None], past_key_values=cache).logits)
    token = mx.array([[3]])
    logits = model(token, past_key_values=cache, rope_deltas=-2, rope_length=99).logits
    assert nodes(tmp_path, logits) <= LAYERS * NODES_OF_A_LAYER
    assert np.isfinite(np.array(logits)).all()
