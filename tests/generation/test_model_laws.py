"""The laws of generation on a small random model with pictures and experts."""

import itertools

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.generation.answer import GenerationOptions
from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.events import Finished
from mlx_glm45v.generation.forward import last_logits
from mlx_glm45v.generation.sampling import SamplingOptions
from mlx_glm45v.generation.stream import stream_prompt
from tests.generation.fakes import Letters, make_prompt
from tests.generation.small_model import (
    NO_MARKERS,
    NO_MEDIA,
    NUMBERS,
    prefilled,
    tokens,
)

PARTS = (
    [1, 2, 3],
    ("image", 1, (4, 8)),
    [4, 5],
    ("video", 2, (4, 4)),
    [6],
    ("video", 3, (4, 4)),
    [7, 8, 9],
)


def reference_logits(model, prompt):
    """One plain forward pass with the reference's own arguments."""
    features = [
        feature
        for span in prompt.spans
        for feature in model.encode_media(mx.array(span.pixel_values), [span.grid_thw])
    ]
    output = model(
        inputs_embeds=model.embed_inputs(
            mx.array(prompt.token_ids[None]),
            mx.concatenate(features) if features else None,
        ),
        position_ids=mx.array(prompt.positions[:, None]),
        use_cache=False,
    )
    return np.array(output.logits[:, -1])


def assert_close(actual, expected):
    assert np.abs(actual - expected).max() <= 1e-4 * expected.std()


@pytest.mark.parametrize("step_size", [1, 4, 9, 4096])
def test_chunks_give_the_logits_of_one_pass(model, step_size):
    prompt = make_prompt(*PARTS)
    cache, logits = prefilled(model, prompt, step_size)
    assert_close(logits, reference_logits(model, prompt))
    assert cache.tokens == prompt.token_ids.tolist()
    assert {layer.offset for layer in cache.layers} == {len(prompt)}


def test_agreeing_axes_take_the_short_way_with_the_same_result(model):
    prompt = make_prompt([1, 2], ("image", 1, (4, 8)))
    after = [5, 6, 7]
    results = []
    for fast in (True, False):
        cache, _ = prefilled(model, prompt)
        start = len(prompt) + prompt.rope_delta
        positions = mx.broadcast_to(mx.arange(start, start + 3), (3, 1, 3))
        logits = last_logits(
            model,
            cache.layers,
            model.embed_inputs(mx.array([after])),
            rope_deltas=prompt.rope_delta if fast else None,
            position_ids=None if fast else positions,
            rope_length=20,
        )
        results.append(np.array(logits))
    assert_close(*results)
    assert_close(
        results[0],
        reference_logits(model, make_prompt([1, 2], ("image", 1, (4, 8)), after)),
    )


def test_cached_decoding_says_what_fresh_passes_say(model):
    expected = []
    for _ in range(12):
        logits = reference_logits(model, make_prompt(*PARTS, expected))
        expected.append(int(logits[0, :90].argmax()))
    assert tokens(model, make_prompt(*PARTS)) == expected
    assert len(set(expected)) > 3


def test_a_seed_gives_the_same_answer_again(model):
    prompt = make_prompt(*PARTS)

    def drawn(seed):
        return tokens(model, prompt, sampling={"temperature": 1.0, "seed": seed})

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)


def test_a_penalty_does_not_depend_on_chunks(model):
    prompt = make_prompt(*PARTS)
    penalty = {"repetition_penalty": 3.0}
    whole = tokens(model, prompt, sampling=penalty)
    assert tokens(model, prompt, sampling=penalty, prefill_step_size=5) == whole
    assert whole != tokens(model, prompt)


def test_two_pictures_of_one_size_get_different_answers(model):
    one, other = (make_prompt([1], ("image", seed, (4, 8)), [2]) for seed in (1, 2))
    assert one.token_ids.tolist() == other.token_ids.tolist()
    _, first = prefilled(model, one)
    _, second = prefilled(model, other)
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("count", [1, 3, 5, 8, 11])
def test_a_cache_left_at_any_event_goes_on_like_a_fresh_one(model, count):
    prompt = make_prompt(*PARTS)
    cache = PromptCache(model)
    events = stream_prompt(
        model,
        prompt,
        detokenizer=Letters(NUMBERS),
        options=GenerationOptions(max_tokens=12, prefill_step_size=9),
        sampling=SamplingOptions(logit_bias=NO_MEDIA),
        markers=NO_MARKERS,
        cache=cache,
    )
    for event in itertools.islice(events, count):
        assert not isinstance(event, Finished)
    events.close()
    assert {layer.offset for layer in cache.layers} == {len(cache.tokens)}
    if len(cache) <= len(prompt):
        return
    generated = cache.tokens[len(prompt) :]
    logits = last_logits(
        model,
        cache.layers,
        model.embed_inputs(mx.array([[11]])),
        rope_deltas=cache.rope_delta,
        rope_length=50,
    )
    assert_close(
        np.array(logits), reference_logits(model, make_prompt(*PARTS, [*generated, 11]))
    )
