"""The decoder's arguments: positions, masks, caches, what it records and refuses."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models.cache import BatchKVCache, QuantizedKVCache

from mlx_glm45v.model.decoder import Glm4vMoeTextModel
from tests.parity.cases import BASE, TEXT
from tests.parity.ours import build, model_of

IDS = mx.array(TEXT.input_ids)
LENGTH = IDS.shape[1]


@pytest.fixture(scope="module")
def decoder() -> Glm4vMoeTextModel:
    return model_of("base").language_model.model


def states(decoder: Glm4vMoeTextModel, ids: mx.array = IDS, **given: Any) -> np.ndarray:
    return np.array(decoder(ids, **given).last_hidden_state)


@pytest.mark.parametrize("mode", ["mxfp4", "mxfp8", "nvfp4"])
def test_packed_embeddings_come_out_in_the_models_dtype(mode: str) -> None:
    group_size, bits = {"mxfp4": (32, 4), "mxfp8": (32, 8), "nvfp4": (16, 4)}[mode]
    decoder = build(BASE).language_model.model
    decoder.embed_tokens = decoder.embed_tokens.to_quantized(
        group_size=group_size, bits=bits, mode=mode
    )
    assert decoder.embed(IDS).dtype == mx.float32
    assert decoder(IDS).last_hidden_state.dtype == mx.float32


def test_embeddings_may_stand_for_tokens(decoder: Glm4vMoeTextModel) -> None:
    embeds = decoder.embed_tokens(IDS)
    ours = decoder(inputs_embeds=embeds).last_hidden_state
    np.testing.assert_array_equal(np.array(ours), states(decoder))


@pytest.mark.parametrize(
    "positions",
    [
        {"position_ids": mx.arange(3, 3 + LENGTH)[None]},
        {"position_ids": mx.broadcast_to(mx.arange(3, 3 + LENGTH), (3, 1, LENGTH))},
        {"rope_deltas": 3},
        {"rope_deltas": mx.array([3])},
        {"rope_deltas": mx.array([[3]])},
        {"cache_position": mx.arange(3, 3 + LENGTH)},
        {"cache_position": mx.arange(LENGTH), "rope_deltas": mx.array([3])},
        {"attention_mask": mx.ones((1, LENGTH)), "rope_deltas": 3},
    ],
)
def test_there_are_several_ways_to_say_a_position(
    decoder: Glm4vMoeTextModel, positions: dict[str, Any]
) -> None:
    """All start at 3. Attention is relative, so a late part has to disagree."""
    cache, other = decoder.make_cache(), decoder.make_cache()
    decoder(IDS[:, :2], past_key_values=cache)
    decoder(IDS[:, :2], past_key_values=other)
    if "attention_mask" in positions:
        positions = {**positions, "attention_mask": mx.ones((1, LENGTH + 2))}
    shift = 2 if {"cache_position", "position_ids"}.isdisjoint(positions) else 0
    ours = states(decoder, past_key_values=cache, **positions)
    expected = states(
        decoder,
        past_key_values=other,
        position_ids=mx.arange(3 + shift, 3 + shift + LENGTH)[None],
    )
    np.testing.assert_allclose(ours, expected, atol=2e-5)
    assert np.abs(ours - states(decoder)).max() > 1e-2


def test_use_cache_decides_whether_a_cache_is_made(
    decoder: Glm4vMoeTextModel,
) -> None:
    made = decoder(IDS, use_cache=True).past_key_values
    assert [cache.offset for cache in made] == [LENGTH] * 3
    assert decoder(IDS, use_cache=False).past_key_values is None


def test_a_batch_cache_brings_its_own_padding(decoder: Glm4vMoeTextModel) -> None:
    """mlx-lm's cache for batches padded left: per-row offsets, its own mask."""
    short = IDS[:, :5]
    rows = mx.concatenate([mx.zeros((1, LENGTH - 5), IDS.dtype), short], axis=1)
    cache = [BatchKVCache([0, LENGTH - 5]) for _ in decoder.layers]
    batch = mx.concatenate([IDS, rows])
    ours = states(decoder, batch, past_key_values=cache)
    np.testing.assert_allclose(ours[0], states(decoder)[0], atol=2e-5)
    np.testing.assert_allclose(ours[1, -5:], states(decoder, short)[0], atol=2e-5)
    more = mx.array([[4], [4]])
    after = states(decoder, more, past_key_values=cache)
    alone = states(decoder, mx.concatenate([short, more[:1]], axis=1))
    np.testing.assert_allclose(after[1, -1], alone[0, -1], atol=2e-5)


def test_a_quantised_cache_is_used(decoder: Glm4vMoeTextModel) -> None:
    cache = [QuantizedKVCache(group_size=32, bits=8) for _ in decoder.layers]
    decoder(IDS[:, :-1], past_key_values=cache)
    ours = states(decoder, IDS[:, -1:], past_key_values=cache)[0, 0]
    exact = states(decoder)[0, -1]
    assert np.abs(ours - exact).max() < 0.1 * exact.std()


def test_recorded_states_are_asked_for(decoder: Glm4vMoeTextModel) -> None:
    plain = decoder(IDS)
    assert plain.hidden_states is plain.attentions is plain.router_logits is None
    full = decoder(
        IDS,
        output_hidden_states=True,
        output_attentions=True,
        output_router_logits=True,
    )
    assert [x.shape for x in full.hidden_states] == [(1, LENGTH, 64)] * 4
    assert [x.shape for x in full.attentions] == [(1, 6, LENGTH, LENGTH)] * 3
    assert [x.shape for x in full.router_logits] == [(LENGTH, 8)] * 2
    last = np.array(full.hidden_states[-1])
    np.testing.assert_array_equal(last, np.array(full.last_hidden_state))


def test_layers_are_announced_one_by_one(decoder: Glm4vMoeTextModel) -> None:
    seen: list[mx.array] = []
    output = decoder(IDS, on_layer=seen.append, output_hidden_states=True)
    assert len(seen) == 3
    for announced, recorded in zip(seen[:-1], output.hidden_states[1:-1], strict=True):
        np.testing.assert_array_equal(np.array(announced), np.array(recorded))


def test_a_tuple_instead_of_an_output(decoder: Glm4vMoeTextModel) -> None:
    output = decoder(IDS, return_dict=False, use_cache=False)
    assert isinstance(output, tuple)
    assert len(output) == 1
    np.testing.assert_array_equal(np.array(output[0]), states(decoder))


def test_padding_sees_itself_so_that_no_row_is_empty(
    decoder: Glm4vMoeTextModel,
) -> None:
    """A softmax over nothing is NaN with some kernels, and NaN spreads."""
    mask = mx.array([[0] * 4 + [1] * (LENGTH - 4)])
    output = decoder(IDS, attention_mask=mask, output_attentions=True)
    for weights in output.attentions:
        rows = np.array(weights)[0, :, :4]
        np.testing.assert_allclose(rows, np.broadcast_to(np.eye(4, LENGTH), rows.shape))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "exactly one"),
        ({"input_ids": IDS, "inputs_embeds": mx.zeros((1, 2, 64))}, "exactly one"),
        ({"input_ids": IDS, "attention_mask": mx.ones((1, 3))}, "attention_mask"),
        ({"input_ids": IDS, "attention_mask": mx.ones((1, 1, 1, 3))}, "attention_mask"),
        ({"input_ids": IDS, "position_ids": mx.zeros((4, 1, LENGTH))}, "position_ids"),
        ({"input_ids": IDS, "position_ids": mx.zeros((3, 1, 2))}, "position_ids"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    decoder: Glm4vMoeTextModel, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        decoder(**given)


def test_router_logits_may_be_asked_for_by_the_config() -> None:
    from dataclasses import replace

    from mlx_glm45v.config import Glm4vMoeTextConfig

    config = Glm4vMoeTextConfig.from_dict(BASE.config["text_config"])
    model = Glm4vMoeTextModel(replace(config, output_router_logits=True))
    assert len(model(IDS).router_logits) == 2


@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"attention_mask": mx.array([[0, 0, *[1] * (LENGTH - 2)]])},
        {"position_ids": mx.broadcast_to(mx.arange(2, 2 + LENGTH), (3, 1, LENGTH))},
    ],
)
def test_of_states_that_nobody_wants_the_last_layer_computes_none(
    decoder: Glm4vMoeTextModel, given: dict[str, Any], keep: int
) -> None:
    seen: list[int] = []
    whole, short = decoder.make_cache(), decoder.make_cache()
    wanted = states(decoder, past_key_values=whole, **given)[:, -keep:]
    found = states(
        decoder,
        past_key_values=short,
        states_to_keep=keep,
        on_layer=lambda x: seen.append(x.shape[1]),
        **given,
    )
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert seen == [LENGTH] * (len(decoder.layers) - 1) + [keep]
    for one, other in zip(whole, short, strict=True):
        for ours, theirs in zip(one.state, other.state, strict=True):
            np.testing.assert_array_equal(np.array(ours), np.array(theirs))


def test_a_piece_after_a_quantised_cache_keeps_its_last_state(
    decoder: Glm4vMoeTextModel,
) -> None:
    def after_half(**given: Any) -> np.ndarray:
        cache = [QuantizedKVCache(group_size=32, bits=8) for _ in decoder.layers]
        decoder(IDS[:, :4], past_key_values=cache)
        return states(decoder, IDS[:, 4:], past_key_values=cache, **given)

    found = after_half(states_to_keep=1)
    np.testing.assert_allclose(found, after_half()[:, -1:], atol=1e-5)


def test_what_is_recorded_is_recorded_of_all_states(decoder: Glm4vMoeTextModel) -> None:
    output = decoder(IDS, states_to_keep=1, output_router_logits=True)
    assert output.last_hidden_state.shape[1] == LENGTH
