"""The router and the experts: precision, groups, weights."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx_lm.models.switch_layers import SwitchGLU

from mlx_glm45v.config import Glm4vMoeTextConfig
from mlx_glm45v.model.experts import (
    Glm4vMoeTextExperts,
    Glm4vMoeTextMoE,
    Glm4vMoeTextTopkRouter,
)


def config(**values: Any) -> Glm4vMoeTextConfig:
    return Glm4vMoeTextConfig(
        **{
            "hidden_size": 64,
            "moe_intermediate_size": 32,
            "n_routed_experts": 16,
            "num_experts_per_tok": 4,
            **values,
        }
    )


def router(**values: Any) -> Glm4vMoeTextTopkRouter:
    gate = Glm4vMoeTextTopkRouter(config(**values))
    keys = mx.random.split(mx.random.key(1))
    gate.weight = mx.random.normal(gate.weight.shape, key=keys[0]) * 0.2
    gate.e_score_correction_bias = 0.3 * mx.random.normal((16,), key=keys[1])
    return gate


def states(count: int = 40) -> mx.array:
    return mx.random.normal((count, 64), key=mx.random.key(2))


def chosen(indices: mx.array) -> np.ndarray:
    return np.sort(np.array(indices), axis=-1)


def test_a_bfloat16_model_still_routes_in_float32() -> None:
    """On random data bfloat16 changes the choice of some tokens."""
    gate, x = router(), states(2000).astype(mx.bfloat16)
    logits, weights, indices = gate(x)
    assert (logits.dtype, weights.dtype) == (mx.float32, mx.float32)
    exact = np.array(x.astype(mx.float32)) @ np.array(gate.weight).T
    ranked = 1 / (1 + np.exp(-exact)) + np.array(gate.e_score_correction_bias)
    best = np.sort(np.argsort(-ranked, axis=-1)[:, :4], axis=-1)
    np.testing.assert_array_equal(chosen(indices), best)
    rounded = (x @ gate.weight.astype(mx.bfloat16).T).astype(mx.float32)
    other = mx.sigmoid(rounded) + gate.e_score_correction_bias
    other = chosen(mx.argpartition(-other, kth=3, axis=-1)[:, :4])
    assert (other != best).any()


def test_the_correction_bias_chooses_but_does_not_weigh() -> None:
    gate, x = router(norm_topk_prob=False), states()
    logits, weights, indices = gate(x)
    plain = mx.take_along_axis(mx.sigmoid(logits), indices, axis=-1)
    np.testing.assert_allclose(np.array(weights), np.array(plain), rtol=1e-6)
    gate.e_score_correction_bias = mx.zeros((16,))
    assert (chosen(gate(x)[2]) != chosen(indices)).any()


@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize("top", [1, 4])
def test_normalised_weights_sum_to_the_scaling_factor(scale: float, top: int) -> None:
    gate = router(routed_scaling_factor=scale, num_experts_per_tok=top)
    weights = gate(states())[1]
    np.testing.assert_allclose(np.array(weights.sum(axis=-1)), scale, rtol=1e-5)


def test_experts_come_from_the_best_groups_only() -> None:
    gate, x = router(n_group=4, topk_group=2, num_experts_per_tok=6), states()
    logits, _, indices = gate(x)
    ranked = np.array(mx.sigmoid(logits) + gate.e_score_correction_bias)
    groups = np.sort(ranked.reshape(-1, 4, 4), axis=-1)[..., -2:].sum(axis=-1)
    kept = np.argsort(-groups, axis=-1)[:, :2]
    for row, own in zip(np.array(indices) // 4, kept, strict=True):
        assert set(row) <= set(own)
    assert (chosen(router(num_experts_per_tok=6)(x)[2]) != chosen(indices)).any()


def test_a_negative_score_does_not_bring_a_group_back() -> None:
    """Groups are ruled out by -inf: 0 would win against scores below it."""
    gate = router(n_group=4, topk_group=1, num_experts_per_tok=4)
    gate.e_score_correction_bias = mx.full((16,), -5.0)
    logits, _, indices = gate(states())
    scores = 1 / (1 + np.exp(-np.array(logits)))
    best = np.sort(scores.reshape(-1, 4, 4), axis=-1)[..., -2:].sum(axis=-1)
    groups = np.array(indices) // 4
    assert (groups == best.argmax(axis=-1)[:, None]).all()


@pytest.mark.parametrize("count", [3, 200])
def test_the_layer_is_the_weighted_sum_of_its_experts(count: int) -> None:
    """For few tokens and for enough that they are sorted by expert."""
    layer = Glm4vMoeTextMoE(config(hidden_act="gelu"))
    layer.gate = router()
    x = states(count)[None]
    out, logits = layer(x)
    assert logits.shape == (1, count, 16)
    _, weights, indices = layer.gate(x)
    experts = layer.switch_mlp
    expected = layer.shared_experts(x)
    for token in range(count):
        for weight, expert in zip(weights[0, token], indices[0, token], strict=True):
            gate = nn.gelu(experts.gate_proj.weight[expert] @ x[0, token])
            up = experts.up_proj.weight[expert] @ x[0, token]
            expected[0, token] += weight * (
                experts.down_proj.weight[expert] @ (gate * up)
            )
    np.testing.assert_allclose(np.array(out), np.array(expected), atol=1e-5)


@pytest.mark.parametrize("count", [1, 3, 50])
@pytest.mark.parametrize("bits", [4, None])
def test_experts_equal_those_of_mlx_lm_to_the_bit(bits: int | None, count: int) -> None:
    ours, theirs = Glm4vMoeTextExperts(config()), SwitchGLU(64, 32, 16)
    theirs.update(ours.parameters())
    if bits is not None:
        nn.quantize(ours, 32, bits)
        nn.quantize(theirs, 32, bits)
    x = states(count)[None]
    indices = router()(x)[2]
    np.testing.assert_array_equal(
        np.array(ours(x, indices)), np.array(theirs(x, indices))
    )


@pytest.mark.parametrize(("shared", "width"), [(1, 32), (3, 96)])
def test_shared_experts_are_one_wider_mlp(shared: int, width: int) -> None:
    layer = Glm4vMoeTextMoE(config(n_shared_experts=shared))
    assert layer.shared_experts.gate_proj.weight.shape == (width, 64)


def test_a_layer_may_have_no_shared_expert() -> None:
    layer = Glm4vMoeTextMoE(config(n_shared_experts=0))
    assert "shared_experts" not in layer
    assert layer(states()[None])[0].shape == (1, 40, 64)
