"""Configs: documented defaults, both spellings, round trips, and refusals by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.config import (
    Glm4vMoeConfig,
    Glm4vMoeTextConfig,
    Glm4vMoeVisionConfig,
)
from mlx_glm45v.config.rope import ROPE_TYPES
from mlx_glm45v.errors import CheckpointError

SHARED = Path(__file__).parents[1] / "../shared/checkpoints"

SIZES = {
    "vocab_size": 160,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
LONGROPE = {
    "rope_type": "longrope",
    "short_factor": [1, 1, 1, 1],
    "long_factor": [2, 2, 2, 2],
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
}


def text(**values: Any) -> Glm4vMoeTextConfig:
    """A text config whose rope covers heads of 16."""
    table = {"mrope_section": [2, 1, 1], **values.pop("rope", {})}
    return Glm4vMoeTextConfig.from_dict(
        {**SIZES, "rope_parameters": table, **values},
    )


# The defaults in transformers' document of Glm4vMoeConfig.
DOCUMENTED = [
    (Glm4vMoeTextConfig, "vocab_size", 151424),
    (Glm4vMoeTextConfig, "hidden_size", 4096),
    (Glm4vMoeTextConfig, "intermediate_size", 10944),
    (Glm4vMoeTextConfig, "num_hidden_layers", 46),
    (Glm4vMoeTextConfig, "num_attention_heads", 96),
    (Glm4vMoeTextConfig, "num_key_value_heads", 8),
    (Glm4vMoeTextConfig, "hidden_act", "silu"),
    (Glm4vMoeTextConfig, "max_position_embeddings", 65536),
    (Glm4vMoeTextConfig, "initializer_range", 0.02),
    (Glm4vMoeTextConfig, "rms_norm_eps", 1e-5),
    (Glm4vMoeTextConfig, "use_cache", True),
    (Glm4vMoeTextConfig, "tie_word_embeddings", False),
    (Glm4vMoeTextConfig, "rope_theta", 10000.0),
    (Glm4vMoeTextConfig, "partial_rotary_factor", 0.5),
    (Glm4vMoeTextConfig, "rope_scaling", None),
    (Glm4vMoeTextConfig, "attention_bias", True),
    (Glm4vMoeTextConfig, "attention_dropout", 0.0),
    (Glm4vMoeTextConfig, "moe_intermediate_size", 1408),
    (Glm4vMoeTextConfig, "num_experts_per_tok", 8),
    (Glm4vMoeTextConfig, "n_shared_experts", 1),
    (Glm4vMoeTextConfig, "n_routed_experts", 128),
    (Glm4vMoeTextConfig, "routed_scaling_factor", 1.0),
    (Glm4vMoeTextConfig, "n_group", 1),
    (Glm4vMoeTextConfig, "topk_group", 1),
    (Glm4vMoeTextConfig, "first_k_dense_replace", 1),
    (Glm4vMoeTextConfig, "norm_topk_prob", True),
    (Glm4vMoeTextConfig, "router_aux_loss_coef", 0.0001),
    (Glm4vMoeVisionConfig, "depth", 24),
    (Glm4vMoeVisionConfig, "hidden_size", 1536),
    (Glm4vMoeVisionConfig, "hidden_act", "silu"),
    (Glm4vMoeVisionConfig, "attention_bias", False),
    (Glm4vMoeVisionConfig, "attention_dropout", 0.0),
    (Glm4vMoeVisionConfig, "num_heads", 12),
    (Glm4vMoeVisionConfig, "in_channels", 3),
    (Glm4vMoeVisionConfig, "image_size", 336),
    (Glm4vMoeVisionConfig, "patch_size", 14),
    (Glm4vMoeVisionConfig, "rms_norm_eps", 1e-5),
    (Glm4vMoeVisionConfig, "spatial_merge_size", 2),
    (Glm4vMoeVisionConfig, "temporal_patch_size", 2),
    (Glm4vMoeVisionConfig, "out_hidden_size", 4096),
    (Glm4vMoeVisionConfig, "intermediate_size", 13696),
    (Glm4vMoeVisionConfig, "initializer_range", 0.02),
    (Glm4vMoeConfig, "image_token_id", 151363),
    (Glm4vMoeConfig, "video_token_id", 151364),
    (Glm4vMoeConfig, "image_start_token_id", 151339),
    (Glm4vMoeConfig, "image_end_token_id", 151340),
    (Glm4vMoeConfig, "video_start_token_id", 151341),
    (Glm4vMoeConfig, "video_end_token_id", 151342),
]


@pytest.mark.parametrize(("cls", "name", "value"), DOCUMENTED)
def test_defaults_are_the_documented_ones(cls: type, name: str, value: object) -> None:
    assert getattr(cls(), name) == value


def test_configs_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Glm4vMoeConfig().image_token_id = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "config",
    [
        Glm4vMoeConfig(),
        Glm4vMoeConfig(text_config=text(rope=LLAMA3, eos_token_id=[1, 2])),
        Glm4vMoeConfig(text_config=text(rope={**LONGROPE, "rope_theta": 5e5})),
        Glm4vMoeConfig(quantization={"group_size": 64, "bits": 4}, dtype="float16"),
        Glm4vMoeConfig(quantization={"quant_method": "compressed-tensors"}),
        Glm4vMoeConfig(vision_config=Glm4vMoeVisionConfig(rope_theta=500.0)),
        Glm4vMoeConfig(extra={"architectures": ["Glm4vMoeForConditionalGeneration"]}),
    ],
)
def test_a_config_survives_json(config: Glm4vMoeConfig) -> None:
    written = json.loads(json.dumps(config.to_dict()))
    assert Glm4vMoeConfig.from_dict(written) == config
    assert Glm4vMoeConfig.from_dict(written).to_dict() == written


@settings(max_examples=50, deadline=None)
@given(
    kind=st.sampled_from(["default", "linear", "dynamic", "yarn"]),
    theta=st.floats(2, 1e7),
    factor=st.floats(1, 64),
    partial=st.sampled_from([0.25, 0.5, 1.0]),
)
def test_both_spellings_of_rope_mean_the_same(
    kind: str, theta: float, factor: float, partial: float
) -> None:
    table = {"factor": factor, "mrope_section": [1, 1, 2]}
    older = Glm4vMoeTextConfig.from_dict(
        {
            "rope_scaling": {"type": kind, **table},
            "rope_theta": theta,
            "partial_rotary_factor": partial,
        }
    )
    newer = Glm4vMoeTextConfig.from_dict(
        {
            "rope_parameters": {
                "rope_type": kind,
                "rope_theta": theta,
                "partial_rotary_factor": partial,
                **table,
            }
        }
    )
    assert older == newer
    assert Glm4vMoeTextConfig.from_dict(older.to_dict()) == older


def test_a_table_wins_over_what_stands_beside_it() -> None:
    config = Glm4vMoeTextConfig.from_dict(
        {"rope_theta": 1e4, "rope_parameters": {"rope_theta": 5e5}}
    )
    assert config.rope_theta == 5e5
    assert config.partial_rotary_factor == 0.5


@pytest.mark.parametrize("spelling", ["dtype", "torch_dtype"])
@pytest.mark.parametrize("value", ["bfloat16", "torch.bfloat16"])
def test_both_spellings_of_dtype(spelling: str, value: str) -> None:
    assert Glm4vMoeConfig.from_dict({spelling: value}).weights_dtype == "bfloat16"
    inside = Glm4vMoeConfig.from_dict({"text_config": {spelling: value}})
    assert inside.weights_dtype == "bfloat16"


@pytest.mark.parametrize(
    "model_type", ["glm4v_moe", "glm4v_moe_vision", "glm4v", "glm4v_vision"]
)
def test_vision_model_types_in_use_are_read(model_type: str) -> None:
    config = Glm4vMoeVisionConfig.from_dict({"model_type": model_type})
    assert config.depth == 24


@pytest.mark.parametrize("key", ["quantization", "quantization_config"])
def test_the_quantisation_table_is_kept(key: str) -> None:
    table = {"group_size": 64, "bits": 4, "lm_head": {"bits": 6, "group_size": 64}}
    assert Glm4vMoeConfig.from_dict({key: table}).quantization == table


def test_mlx_files_carry_the_quantisation_table_under_both_names() -> None:
    written = Glm4vMoeConfig(quantization={"group_size": 64, "bits": 4}).to_dict()
    assert written["quantization"] == written["quantization_config"]


def test_keys_without_a_meaning_here_are_kept() -> None:
    data = {"transformers_version": "4.57.1", "text_config": {"use_qk_norm": False}}
    written = Glm4vMoeConfig.from_dict(data).to_dict()
    assert written["transformers_version"] == "4.57.1"
    assert written["text_config"]["use_qk_norm"] is False


@pytest.mark.parametrize("where", ["top", "text"])
def test_tied_embeddings_may_be_said_in_either_place(where: str) -> None:
    tied = {"tie_word_embeddings": True}
    data = tied if where == "top" else {"text_config": tied}
    assert Glm4vMoeConfig.from_dict(data).tie_word_embeddings


@pytest.mark.parametrize(
    ("value", "ids"), [(None, ()), (7, (7,)), ([7, 8], (7, 8)), ((7,), (7,))]
)
def test_eos_ids_are_a_tuple_whatever_the_file_holds(
    value: object, ids: tuple[int, ...]
) -> None:
    data = {"text_config": {"eos_token_id": value}}
    assert Glm4vMoeConfig.from_dict(data).eos_token_ids == ids


def test_a_square_may_be_given_as_two_sides() -> None:
    config = Glm4vMoeVisionConfig.from_dict(
        {"image_size": [336, 336], "patch_size": [14, 14]}
    )
    assert (config.image_size, config.patch_size) == (336, 14)
    assert config.positions_per_side == 24


@pytest.mark.parametrize("kind", ["glm4v", "qwen2_vl", "glm4v_moe_text"])
def test_other_models_are_refused_by_name(kind: str) -> None:
    with pytest.raises(CheckpointError, match=kind):
        Glm4vMoeConfig.from_dict({"model_type": kind})


def test_the_dense_sibling_is_told_from_an_unknown_model() -> None:
    with pytest.raises(CheckpointError, match=r"dense sibling.*GLM-4\.6V-Flash"):
        Glm4vMoeConfig.from_dict({"model_type": "glm4v"})


UNSUPPORTED = [
    ("hidden_act", "xielu", "silu"),
    ("hidden_act", ["silu"], "silu"),
    ("hidden_size", 0, "whole number"),
    ("hidden_size", 64.0, "whole number"),
    ("num_hidden_layers", "46", "whole number"),
    ("num_attention_heads", True, "whole number"),
    ("head_dim", -1, "whole number"),
    ("n_shared_experts", -1, "whole number"),
    ("first_k_dense_replace", 1.5, "whole number"),
    ("norm_topk_prob", 1, "true or false"),
    ("attention_bias", "yes", "true or false"),
    ("rms_norm_eps", 0.0, "above 0"),
    ("routed_scaling_factor", None, "above 0"),
    ("dtype", "float8_e4m3fn", "bfloat16"),
    ("model_type", "llama", "glm4v_moe_text"),
    ("use_qk_norm", True, "false"),
    ("qk_layernorm", True, "false"),
]


@pytest.mark.parametrize(("name", "value", "supported"), UNSUPPORTED)
def test_an_unsupported_text_value_is_refused_by_name(
    name: str, value: object, supported: str
) -> None:
    with pytest.raises(CheckpointError) as error:
        Glm4vMoeTextConfig.from_dict({name: value})
    for part in (name, repr(value), supported, "config.json"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_act", "prelu"),
        ("depth", 0),
        ("image_size", [336, 224]),
        ("patch_size", None),
        ("rms_norm_eps", -1),
        ("attention_bias", None),
        ("model_type", "siglip"),
    ],
)
def test_an_unsupported_vision_value_is_refused_by_name(
    name: str, value: object
) -> None:
    with pytest.raises(CheckpointError, match=name) as error:
        Glm4vMoeVisionConfig.from_dict({name: value})
    assert repr(value) in str(error.value)


def test_vision_rope_other_than_axial_is_refused() -> None:
    table = {"rope_type": "yarn"}
    with pytest.raises(CheckpointError, match="yarn"):
        Glm4vMoeVisionConfig.from_dict({"rope_parameters": table})


@pytest.mark.parametrize("name", ["text_config", "vision_config"])
def test_a_table_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match=name):
        Glm4vMoeConfig.from_dict({name: [1, 2]})


def test_a_token_id_that_is_none_is_refused() -> None:
    with pytest.raises(CheckpointError, match="image_token_id"):
        Glm4vMoeConfig.from_dict({"image_token_id": None})


ROPE_FAULTS = [
    ({"rope_type": "proportional"}, "rope_type"),
    ({"type": "mrope"}, "rope_type"),
    ({"rope_type": "linear"}, "factor"),
    ({"rope_type": "dynamic", "factor": None}, "factor"),
    ({"rope_type": "dynamic", "factor": 0}, "factor"),
    ({"rope_type": "yarn", "factor": "4"}, "factor"),
    ({"rope_type": "longrope", "short_factor": [1]}, "long_factor"),
    ({**LONGROPE, "short_factor": 1.0}, "short_factor"),
    ({**LLAMA3, "low_freq_factor": None}, "low_freq_factor"),
    ({"rope_theta": 1}, "rope_theta"),
    ({"rope_theta": "10000"}, "rope_theta"),
    ({"partial_rotary_factor": 0}, "partial_rotary_factor"),
    ({"partial_rotary_factor": 1.5}, "partial_rotary_factor"),
    ({"mrope_section": 4}, "mrope_section"),
    ({"mrope_section": ["a"]}, "mrope_section"),
    ({"original_max_position_embeddings": 0}, "original_max_position_embeddings"),
]


@pytest.mark.parametrize(("table", "name"), ROPE_FAULTS)
def test_an_unsupported_rope_value_is_refused_by_name(
    table: dict[str, object], name: str
) -> None:
    with pytest.raises(CheckpointError, match=name):
        Glm4vMoeTextConfig.from_dict({"rope_parameters": table})


def test_contradicting_rope_tables_are_refused() -> None:
    with pytest.raises(CheckpointError, match="disagree on factor"):
        Glm4vMoeTextConfig.from_dict(
            {
                "rope_scaling": {"type": "linear", "factor": 2.0},
                "rope_parameters": {"rope_type": "linear", "factor": 4.0},
            }
        )


@pytest.mark.parametrize("kind", ROPE_TYPES)
def test_every_rope_type_is_read(kind: str) -> None:
    config = text(rope={**LONGROPE, **LLAMA3, "rope_type": kind})
    config.validate()
    assert config.rope_parameters.rope_type == kind


def test_the_original_length_defaults_to_the_context() -> None:
    config = text(rope=LLAMA3, max_position_embeddings=777)
    assert config.rope_parameters.original_max_position_embeddings == 777
    beside = text(rope=LLAMA3, original_max_position_embeddings=99)
    assert beside.rope_parameters.original_max_position_embeddings == 99


MISFITS: list[tuple[Callable[[], Any], str]] = [
    (lambda: text(num_key_value_heads=3), "num_key_value_heads"),
    (lambda: text(rope={"mrope_section": [8, 12, 12]}), "mrope_section"),
    (lambda: text(head_dim=15), "partial_rotary_factor"),
    (lambda: text(n_routed_experts=10, n_group=4), "n_group"),
    (lambda: text(n_routed_experts=8, n_group=8), "n_group"),
    (lambda: text(n_group=2, topk_group=3), "topk_group"),
    (lambda: text(n_routed_experts=8, num_experts_per_tok=9), "num_experts_per_tok"),
    (
        lambda: text(n_routed_experts=16, n_group=4, num_experts_per_tok=5),
        "num_experts_per_tok",
    ),
    (lambda: text(rope={**LONGROPE, "long_factor": [1.0]}), "long_factor"),
    (lambda: text(rope={**LLAMA3, "high_freq_factor": 1.0}), "high_freq_factor"),
    (
        lambda: text(
            head_dim=4,
            rope={"rope_type": "dynamic", "factor": 2.0, "mrope_section": [1]},
        ),
        "rope_type",
    ),
    (lambda: Glm4vMoeVisionConfig(num_heads=7), "num_heads"),
    (lambda: Glm4vMoeVisionConfig(hidden_size=12, num_heads=6), "num_heads"),
    (lambda: Glm4vMoeVisionConfig(image_size=7), "image_size"),
    (
        lambda: Glm4vMoeConfig(
            text_config=text(), vision_config=Glm4vMoeVisionConfig()
        ),
        "out_hidden_size",
    ),
]


@pytest.mark.parametrize(("make", "name"), MISFITS, ids=lambda value: str(value)[:24])
def test_fields_that_do_not_fit_together_are_refused(
    make: Callable[[], Any], name: str
) -> None:
    config = make()  # each field alone is fine
    with pytest.raises(CheckpointError, match=name):
        config.validate()


def test_experts_do_not_matter_when_every_layer_is_dense() -> None:
    dense = text(num_hidden_layers=2, first_k_dense_replace=2, n_group=7)
    dense.validate()
    assert dense.is_dense(1)
    with pytest.raises(CheckpointError, match="n_group"):
        replace(dense, first_k_dense_replace=1).validate()


@pytest.mark.skipif(not SHARED.is_dir(), reason="published configs are not here")
@pytest.mark.parametrize("name", ["GLM-4.5V", "GLM-4.5V-FP8", "GLM-4.6V"])
def test_published_configs_are_read(name: str) -> None:
    data = json.loads((SHARED / f"{name}.config.json").read_text())
    config = Glm4vMoeConfig.from_dict(data)
    config.validate()
    assert config.context_length == (131072 if name == "GLM-4.6V" else 65536)
    assert config.eos_token_ids == (151329, 151336, 151338)
    assert config.text_config.head_dim == 128
    assert config.text_config.rope_theta == (500000 if name == "GLM-4.6V" else 10000)
    assert config.vision_config.intermediate_size == 10944
    assert (config.quantization is not None) == (name == "GLM-4.5V-FP8")
    assert Glm4vMoeConfig.from_dict(config.to_dict()) == config


@pytest.mark.skipif(not SHARED.is_dir(), reason="published configs are not here")
@pytest.mark.parametrize("name", ["GLM-4.6V-Flash", "GLM-4.1V-9B-Thinking"])
def test_published_dense_siblings_are_refused(name: str) -> None:
    data = json.loads((SHARED / f"{name}.config.json").read_text())
    with pytest.raises(CheckpointError, match="dense sibling"):
        Glm4vMoeConfig.from_dict(data)
