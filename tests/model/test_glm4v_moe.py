"""The whole model: merging, requests that leave no trace, logits, loss, refusals."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.model.glm4v_moe import (
    Glm4vMoeForConditionalGeneration,
    Glm4vMoeModel,
)
from tests.parity.cases import BASE, BOTH, IMAGE, IMAGES, ONE_IMAGE, TEXT, VIDEO_ONLY
from tests.parity.ours import build, inputs, model_of

Model = Glm4vMoeForConditionalGeneration


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of("base")


def logits(model: Model, **given: Any) -> np.ndarray:
    return np.array(model(**given).logits)


def test_keys_are_those_of_the_published_mlx_files(model: Model) -> None:
    keys = {name for name, _ in tree_flatten(model.parameters())}
    layer = "language_model.model.layers.1"
    for key in (
        "language_model.lm_head.weight",
        "language_model.model.embed_tokens.weight",
        "language_model.model.norm.weight",
        f"{layer}.self_attn.q_proj.bias",
        f"{layer}.mlp.gate.e_score_correction_bias",
        f"{layer}.mlp.switch_mlp.down_proj.weight",
        f"{layer}.mlp.shared_experts.up_proj.weight",
        "vision_tower.patch_embed.proj.weight",
        "vision_tower.embeddings.position_embedding.weight",
        "vision_tower.blocks.0.attn.qkv.weight",
        "vision_tower.downsample.bias",
        "vision_tower.merger.post_projection_norm.bias",
    ):
        assert key in keys
    assert {key.split(".")[0] for key in keys} == {"language_model", "vision_tower"}


def test_glm_4_5v_has_as_many_parameters_as_its_files_hold() -> None:
    """Names and shapes only: nothing of it is evaluated."""
    table = {"vocab_size": 151552, "head_dim": 128}
    vision = {"intermediate_size": 10944}
    config = {"text_config": table, "vision_config": vision}
    real = Glm4vMoeForConditionalGeneration(Glm4vMoeConfig.from_dict(config))
    sizes = [value.size for _, value in tree_flatten(real.parameters())]
    assert sum(sizes) == 107_710_933_120


def test_tied_embeddings_have_no_head_of_their_own() -> None:
    tied = model_of("tied embeddings, vision bias, no attention bias")
    assert "lm_head" not in tied.language_model


def test_a_bfloat16_model_stays_bfloat16_from_pixels_to_logits() -> None:
    """One float32 left over would double a Mac's cache and slow each matmul."""
    half = build(BASE)
    half.set_dtype(mx.bfloat16)
    seen: list[mx.Dtype] = []
    output = half(
        **inputs(BASE, BOTH),
        on_block=lambda states: seen.append(states.dtype),
        on_layer=lambda states: seen.append(states.dtype),
    )
    cache = output.past_key_values
    assert cache is not None
    output = half(
        input_ids=mx.array([[5]]),
        past_key_values=cache,
        rope_deltas=output.rope_deltas,
        on_layer=lambda states: seen.append(states.dtype),
    )
    kept = [part.dtype for layer in cache for part in (layer.keys, layer.values)]
    assert {*seen, *kept, output.logits.dtype} == {mx.bfloat16}


def test_the_model_without_a_head_gives_hidden_states() -> None:
    bare = Glm4vMoeModel(Glm4vMoeConfig.from_dict(BASE.config))
    output = bare(**inputs(BASE, ONE_IMAGE), use_cache=False)
    assert output.last_hidden_state.shape == (1, ONE_IMAGE.input_ids.shape[1], 64)
    assert "lm_head" not in bare.language_model


def test_a_conversation_leaves_no_trace_on_the_model(model: Model) -> None:
    """The second request gets its own positions, not the first one's."""
    fresh = logits(model, **inputs(BASE, TEXT))
    before = dict(tree_flatten(model))
    output = model(**inputs(BASE, BOTH))
    model(mx.array([[5]]), past_key_values=output.past_key_values, rope_deltas=-10)
    np.testing.assert_array_equal(logits(model, **inputs(BASE, TEXT)), fresh)
    after = dict(tree_flatten(model))
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)


def test_two_conversations_may_take_turns(model: Model) -> None:
    """Positions belong to each one's cache and delta."""
    first, second = model(**inputs(BASE, BOTH)), model(**inputs(BASE, VIDEO_ONLY))
    token = mx.array([[7]])

    def after(output: Any) -> np.ndarray:
        return logits(
            model,
            input_ids=token,
            past_key_values=copy.deepcopy(output.past_key_values),
            rope_deltas=output.rope_deltas,
        )

    one, other = after(first), after(second)
    np.testing.assert_array_equal(after(first), one)
    assert np.abs(one - other).max() > 1e-2


def test_a_new_picture_may_follow_in_a_cached_conversation(model: Model) -> None:
    """Its positions start where the conversation stands."""
    whole = inputs(BASE, IMAGES)
    length = 3 + 8 + 2 + 7  # text, first image, text, second image
    first = {
        "input_ids": whole["input_ids"][:, :length],
        "pixel_values": whole["pixel_values"][:44],
        "image_grid_thw": whole["image_grid_thw"][:2],
    }
    output = model(**first)
    rest = model(
        whole["input_ids"][:, length:],
        pixel_values=whole["pixel_values"][44:],
        image_grid_thw=whole["image_grid_thw"][2:],
        past_key_values=output.past_key_values,
        rope_deltas=output.rope_deltas,
    )
    ours = np.concatenate([np.array(output.logits), np.array(rest.logits)], axis=1)
    expected = model(**whole)
    np.testing.assert_allclose(ours, np.array(expected.logits), atol=2e-4)
    assert rest.rope_deltas.tolist() == expected.rope_deltas.tolist()


@pytest.mark.parametrize(
    "prompt", [ONE_IMAGE, VIDEO_ONLY, BOTH], ids=lambda prompt: prompt.name
)
def test_pictures_may_be_encoded_first(model: Model, prompt: Any) -> None:
    """`encode_media` and `embed_inputs` give what one call with pixels gives."""
    given = inputs(BASE, prompt)
    images = videos = []
    if "pixel_values" in given:
        images = model.encode_media(given["pixel_values"], given["image_grid_thw"])
    if "pixel_values_videos" in given:
        videos = model.encode_media(
            given["pixel_values_videos"],
            [(1, h, w) for t, h, w in given["video_grid_thw"] for _ in range(t)],
        )
    in_order = iter(images), iter(videos)
    kinds = prompt.mm_token_type_ids[0]
    features, column = [], 0
    while column < len(kinds):
        if kinds[column]:
            features.append(next(in_order[kinds[column] - 1]))
            column += len(features[-1])
        else:
            column += 1
    ours = model.embed_inputs(given["input_ids"], mx.concatenate(features))
    expected = model(**given, output_hidden_states=True).hidden_states[0]
    np.testing.assert_allclose(np.array(ours), np.array(expected), atol=1e-6)


def test_features_come_one_array_a_grid_row(model: Model) -> None:
    given = inputs(BASE, VIDEO_ONLY)
    pixels, grid = given["pixel_values_videos"], given["video_grid_thw"]
    assert [x.shape for x in model.get_video_features(pixels, grid)] == [(18, 64)]
    frames = model.get_image_features(pixels, [(1, 4, 6)] * 3)
    assert [x.shape for x in frames] == [(6, 64)] * 3


def test_a_grid_may_be_an_array(model: Model) -> None:
    given = inputs(BASE, ONE_IMAGE)
    expected = logits(model, **given)
    given["image_grid_thw"] = mx.array(given["image_grid_thw"])
    np.testing.assert_array_equal(logits(model, **given), expected)


def test_embeddings_may_stand_for_a_prompt_with_pictures(model: Model) -> None:
    given = inputs(BASE, BOTH)
    expected = logits(model, **given)
    ids = given.pop("input_ids")
    embeds = model.embed_inputs(ids)
    np.testing.assert_allclose(
        logits(model, inputs_embeds=embeds, **given), expected, atol=1e-5
    )


@pytest.mark.parametrize("placeholders", [0, 7, 9])
def test_a_lost_picture_is_never_silence(model: Model, placeholders: int) -> None:
    ids = mx.array([[1, 2, *[IMAGE] * placeholders, IMAGE, 3]])
    given = inputs(BASE, ONE_IMAGE)  # 8 features
    given["input_ids"] = ids
    answer = logits(model, **given)
    assert np.isnan(answer).all() == (placeholders + 1 != 8)


@pytest.mark.parametrize("keep", [1, 4, mx.array([2, -1]), mx.array([[0, 3, 5]])])
def test_logits_of_chosen_positions(model: Model, keep: Any) -> None:
    every = logits(model, **inputs(BASE, TEXT))
    if isinstance(keep, int):
        expected = every[:, -keep:]
    else:
        expected = every[:, np.array(keep).reshape(-1)]
    ours = logits(model, **inputs(BASE, TEXT), logits_to_keep=keep)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_loss_counts_labels_that_are_not_ignored(model: Model) -> None:
    ids = mx.array(TEXT.input_ids)
    every = logits(model, input_ids=ids)[0]
    labels = np.full(ids.shape, -100)
    labels[0, [4, 9]] = [17, 3]
    rows = every[[3, 8]].astype(np.float64)
    spread = np.log(np.exp(rows).sum(axis=-1))
    expected = (spread - rows[[0, 1], [17, 3]]).mean()
    loss = model(ids, labels=mx.array(labels)).loss
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_a_tuple_holds_what_was_asked_for(model: Model) -> None:
    ids = mx.array(TEXT.input_ids)
    loss, given, deltas = model(ids, labels=ids, return_dict=False, use_cache=False)
    assert loss.shape == ()
    assert given.shape == (*ids.shape, 160)
    assert deltas.tolist() == [0]


def test_nothing_is_evaluated_in_a_forward_pass(model: Model) -> None:
    """Only the graph is built: memory for results is taken when they are asked for."""
    given = inputs(BASE, BOTH)
    mx.eval(model.parameters(), given["input_ids"], given["pixel_values"])
    mx.eval(given["pixel_values_videos"])
    mx.synchronize()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    output = model(**given, labels=given["input_ids"])
    # Constants are made at once: frequencies and token ids, a few bytes each.
    assert mx.get_peak_memory() - before < 4096
    assert mx.isfinite(output.loss)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_ids": None}, "exactly one"),
        ({"image_grid_thw": None}, "image_grid_thw"),
        ({"image_grid_thw": [(1, 4, 6)]}, "patches have shape"),
        ({"labels": mx.array([[1, 2]])}, "labels"),
        ({"labels": mx.array(ONE_IMAGE.input_ids), "logits_to_keep": 1}, "labels"),
        ({"logits_to_keep": mx.array([[True, False]])}, "mask"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    model: Model, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        model(**{**inputs(BASE, ONE_IMAGE), **change})


def test_a_config_that_does_not_fit_builds_no_model() -> None:
    config = Glm4vMoeConfig.from_dict(BASE.config)
    vision = replace(config.vision_config, out_hidden_size=32)
    with pytest.raises(CheckpointError, match="out_hidden_size"):
        Glm4vMoeForConditionalGeneration(replace(config, vision_config=vision))
