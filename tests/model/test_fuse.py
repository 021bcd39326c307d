"""Joined projections: the same results to the bit, and which are left apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from mlx_glm45v.model.fuse import fuse_projections
from tests.checkpoint_forms import CONFIG, Arrays, build, parameters_of, random_weights

JOINED = {"qkv_proj", "gate_up_proj"}
SINGLE = {"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"}
SCHEMES = [
    *({"bits": bits, "group_size": 64} for bits in (2, 3, 4, 5, 6, 8)),
    {"bits": 4, "group_size": 32},
    {"bits": 4, "group_size": 32, "mode": "mxfp4"},
    {"bits": 8, "group_size": 32, "mode": "mxfp8"},
    {"bits": 4, "group_size": 16, "mode": "nvfp4"},
]
FOUR_BITS = SCHEMES[2]
Scheme = dict[str, Any]


@pytest.fixture(scope="module")
def weights() -> Arrays:
    return random_weights(CONFIG)


def model_of(
    weights: Arrays, scheme_of: Callable[[str], Scheme | None] | None = None
) -> Any:
    """A random model whose decoder layers are quantised as `scheme_of` names says."""
    model: Any = build(CONFIG, weights)
    if scheme_of is not None:
        nn.quantize(
            model.language_model.model,
            class_predicate=lambda name, module: (
                name.startswith("layers.")
                and hasattr(module, "to_quantized")
                and (scheme_of(name) or False)
            ),
        )
    return model


def fused(model: Any) -> Any:
    for layer in model.language_model.model.layers:
        fuse_projections(layer)
    return model


def names_of(layer: nn.Module) -> set[str]:
    return {name.rpartition(".")[2] for name, _ in layer.named_modules()}


def answers(model: Any) -> list[np.ndarray]:
    """Logits of a prompt long enough to be sorted by expert, then of two steps."""
    cache = model.make_cache()
    ids = mx.random.randint(0, 180, (1, 50), key=mx.random.key(4))
    parts = [ids, ids[:, :1], ids[:, 5:6]]
    return [np.array(model(part, past_key_values=cache).logits) for part in parts]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: str(scheme))
def test_results_are_the_same_to_the_bit(weights: Arrays, scheme: Scheme) -> None:
    expected = answers(model_of(weights, lambda _name: scheme))
    model = fused(model_of(weights, lambda _name: scheme))
    dense, *sparse = map(names_of, model.language_model.model.layers)
    for names in (dense, *sparse):
        assert names >= JOINED
        assert not SINGLE & names
    for ours, apart in zip(answers(model), expected, strict=True):
        np.testing.assert_array_equal(ours, apart)


def test_floats_are_joined_within_experts_only(weights: Arrays) -> None:
    """A BLAS rounds by the shapes of its matrices; experts are computed one by one."""
    expected = answers(model_of(weights))
    model = fused(model_of(weights))
    dense, layer, _ = model.language_model.model.layers
    assert not JOINED & names_of(dense)
    assert names_of(layer) >= SINGLE
    assert "gate_up_proj" in layer.mlp.switch_mlp
    assert "gate_proj" in layer.mlp.shared_experts
    for ours, apart in zip(answers(model), expected, strict=True):
        np.testing.assert_array_equal(ours, apart)


@pytest.mark.parametrize(
    "other",
    [
        {"bits": 6, "group_size": 64},
        {"bits": 4, "group_size": 32},
        {"bits": 4, "group_size": 32, "mode": "mxfp4"},
        None,
    ],
    ids=str,
)
def test_unequal_projections_stay_apart(weights: Arrays, other: Scheme | None) -> None:
    """As in recipes that give values and some gates more bits than their neighbours."""

    def scheme_of(name: str) -> Scheme | None:
        odd = name.endswith(("v_proj", "shared_experts.up_proj"))
        return other if odd else FOUR_BITS

    expected = answers(model_of(weights, scheme_of))
    model = fused(model_of(weights, scheme_of))
    layer = model.language_model.model.layers[1]
    assert {"q_proj", "k_proj", "v_proj"} <= names_of(layer.self_attn)
    assert {"gate_proj", "up_proj"} <= names_of(layer.mlp.shared_experts)
    assert "gate_up_proj" in layer.mlp.switch_mlp
    for ours, apart in zip(answers(model), expected, strict=True):
        np.testing.assert_array_equal(ours, apart)


def test_a_scale_of_a_whole_tensor_keeps_projections_apart(weights: Arrays) -> None:
    model = model_of(weights, lambda _name: SCHEMES[-1])
    attention = model.language_model.model.layers[0].self_attn
    for name in ("q_proj", "k_proj", "v_proj"):
        attention[name].global_scale = mx.array(2.0)
    fuse_projections(attention)
    assert "q_proj" in attention
    assert "qkv_proj" not in attention


def test_nothing_but_the_grouping_changes(weights: Arrays) -> None:
    """The same numbers, in the files' order; a second pass finds nothing to do."""
    model = model_of(weights, lambda _name: FOUR_BITS)
    before = sum(array.size for array in parameters_of(model).values())
    after = parameters_of(fused(model))
    assert sum(array.size for array in after.values()) == before
    bias = after["language_model.model.layers.0.self_attn.qkv_proj.bias"]
    parts = [
        weights[f"language_model.model.layers.0.self_attn.{name}_proj.bias"]
        for name in "qkv"
    ]
    np.testing.assert_array_equal(np.array(bias), np.concatenate(parts))
    assert parameters_of(fused(model)).keys() == after.keys()
