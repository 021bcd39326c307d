"""Cached is fresh: conversations go on over one another as if each were the first."""

import itertools
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.generation.cache import KVPrecision, PromptCache
from mlx_glm45v.generation.features import FeatureCache
from mlx_glm45v.generation.reuse import GenerationCache
from tests.generation.fakes import ScriptedModel, make_prompt
from tests.generation.small_model import prefilled, tokens

GRID = (4, 4)
REACH = 60
words = st.lists(st.integers(1, 8), min_size=1, max_size=4)
# Few pictures, some of one size, so that they come again and take another's place.
pictures = st.tuples(
    st.sampled_from(["image", "video"]), st.integers(1, 3), st.sampled_from([GRID])
)
turns = st.lists(st.one_of(words, words, pictures), min_size=1, max_size=3)
conversations = st.lists(turns, min_size=1, max_size=4).map(
    lambda many: [part for turn in many for part in turn]
)


@st.composite
def neighbours(draw):
    """Conversations that are made of one another: cut, gone on with, edited."""
    found = [draw(conversations)]
    for _ in range(draw(st.integers(1, 4))):
        base = draw(st.sampled_from(found))
        cut = draw(st.integers(0, len(base)))
        after = base[cut + 1 :] if draw(st.booleans()) else []
        found.append([*base[:cut], *draw(turns), *after])
    return [make_prompt(*parts) for parts in found]


def fresh_logits(model, prompt):
    return prefilled(model, prompt)[1]


def assert_same(got, wanted):
    assert np.abs(got - wanted).max() <= 1e-4 * wanted.std()


@settings(max_examples=25, deadline=None)
@given(prompts=neighbours())
def test_logits_are_those_of_a_fresh_run(model, prompts):
    cache = PromptCache(model)
    for prompt in prompts:
        _, logits = prefilled(model, prompt, step_size=5, cache=cache)
        assert_same(logits, fresh_logits(model, prompt))


@settings(max_examples=15, deadline=None)
@given(prompts=neighbours(), budget=st.sampled_from([0, 20_000, 10**9]))
def test_answers_are_those_of_a_fresh_run(model, prompts, budget):
    cache = GenerationCache(model, kv_bytes=budget, feature_bytes=budget)
    for prompt in prompts:
        conversation = cache.conversation(prompt, rope_length=REACH)
        got = tokens(
            model, prompt, max_tokens=6, cache=conversation, features=cache.features
        )
        cache.trim()
        assert got == tokens(model, prompt, max_tokens=6)
        assert cache.nbytes <= budget or len(cache) == 1
        assert cache.features.nbytes <= budget


@dataclass
class StopAfter:
    """Says stop at the poll of this number."""

    polls: int

    def __call__(self):
        self.polls -= 1
        return self.polls < 0


@settings(max_examples=25, deadline=None)
@given(prompts=neighbours(), polls=st.integers(0, 30))
def test_a_stop_anywhere_leaves_what_the_tokens_say(model, prompts, polls):
    cache, features = PromptCache(model), FeatureCache(10**9)
    for prompt in prompts:
        tokens(
            model,
            prompt,
            cache=cache,
            features=features,
            max_tokens=4,
            prefill_step_size=3,
            should_stop=StopAfter(polls),
        )
        assert {layer.offset for layer in cache.layers} == {len(cache)}
        _, logits = prefilled(model, prompt, cache=cache)
        assert_same(logits, fresh_logits(model, prompt))


def held(*parts):
    """A scripted model's cache that holds these parts."""
    model = ScriptedModel()
    cache = PromptCache(model)
    prompt = make_prompt(*parts)
    with cache.working(prompt, rope_length=REACH):
        for layer in cache.layers:
            zeros = mx.zeros((1, 1, len(prompt), 1))
            layer.update_and_fetch(zeros, zeros)
        cache.advance(prompt.token_ids.tolist())
    return cache


A, B = ("image", 1, GRID), ("image", 2, GRID)  # four tokens each, of one size
VIDEO = ("video", 1, GRID)


@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [
        ([[1, 2, 3]], [[1, 2, 3, 4]], 3),
        ([[1, 2, 3]], [[1, 2, 3]], 2),  # one token has to be computed
        ([[1, 2, 3]], [[1, 5, 3]], 1),
        ([[1, 2, 3]], [[5]], 0),
        ([[1], A, [2]], [[1], A, [2, 3]], 6),
        ([[1], A, [2]], [[1], A, [3]], 5),
        ([[1], A, [2]], [[1], B, [2, 3]], 1),
        ([[1], A, [2]], [[1], VIDEO, [2, 3]], 6),  # the same pixels, the same tokens
        ([[1], A, B, [2]], [[1], B, A, [2]], 1),
        ([[1], A, B, [2]], [[1], A, A, [2]], 5),
        ([[1], A], [[1], A], 1),  # its last token alone would cut the picture
        ([[1], ("image", 1, (4, 8))], [[1], ("image", 1, (8, 4)), [2]], 1),
    ],
)
def test_what_is_reused(before, now, kept):
    assert held(*before).reusable(make_prompt(*now), rope_length=REACH) == kept


def test_a_picture_that_was_read_in_part_is_read_again():
    cache = held([1], A, [2])
    for layer in cache.layers:
        layer.trim(3)
    del cache.tokens[-3:]
    assert cache.reusable(make_prompt([1], A, [2]), rope_length=REACH) == 1


def test_other_frequencies_need_other_keys():
    cache = held([1, 2, 3])
    cache._model.rope_regime = lambda length: length > 100
    prompt = make_prompt([1, 2, 3, 4])
    assert cache.reusable(prompt, rope_length=REACH) == 0


def asked(model, cache, *parts, max_tokens=4):
    prompt = make_prompt(*parts)
    conversation = cache.conversation(prompt, rope_length=REACH)
    tokens(
        model,
        prompt,
        max_tokens=max_tokens,
        cache=conversation,
        features=cache.features,
    )
    return conversation


def test_a_picture_is_encoded_once_for_all_conversations():
    model = ScriptedModel()
    cache = GenerationCache(model)
    asked(model, cache, [1], A, [2])
    asked(model, cache, [5], A, [6])
    asked(model, cache, [7], B, A)
    assert model.encoded == [(1, *GRID)] * 2


def test_features_leave_when_their_bytes_are_needed():
    features = FeatureCache(100)
    for name in "abc":
        features.put((name, (1, 2, 2)), mx.zeros(12))
        features.get(("a", (1, 2, 2)))
    assert [name for name in "abc" if features.get((name, (1, 2, 2))) is not None] == [
        "a",
        "c",
    ]
    assert features.nbytes == 96
    features.put(("large", (1, 2, 2)), mx.zeros(26))
    assert features.nbytes == 96


def test_another_conversation_leaves_the_first_its_cache():
    model = ScriptedModel()
    cache = GenerationCache(model)
    long = asked(model, cache, [1, 2], [3] * 20)
    before = list(long.tokens)
    other = asked(model, cache, [1, 2], [4])
    assert other is not long
    assert long.tokens == before
    assert asked(model, cache, [1, 2], [3] * 20, [5]) is long


def test_the_conversation_unused_for_longest_leaves():
    model = ScriptedModel()
    first = asked(model, GenerationCache(model), [1] * 9)
    cache = GenerationCache(model, kv_bytes=2 * first.nbytes)
    for start in (1, 2, 1, 3):
        asked(model, cache, [start] * 9)
        cache.trim()
    kept = [each.tokens[0] for each in cache._conversations]
    assert kept == [1, 3]


def test_a_cache_at_work_is_not_given_away():
    model = ScriptedModel()
    cache = GenerationCache(model)
    prompt = make_prompt([1] * 9)
    busy = cache.conversation(prompt, rope_length=REACH)
    with busy.working(prompt, rope_length=REACH):
        assert cache.conversation(prompt, rope_length=REACH) is not busy


def test_an_answer_may_be_collected_while_conversations_leave(monkeypatch):
    """Its end trims, too, and Python collects at any step of this thread's."""
    model = ScriptedModel()
    cache = GenerationCache(model)
    for start in (1, 2, 3):
        asked(model, cache, [start] * 9)
    cache._kv_bytes = 0
    in_use = PromptCache.in_use

    def collecting(self):
        monkeypatch.setattr(PromptCache, "in_use", in_use)
        cache.trim()
        return self.in_use

    monkeypatch.setattr(PromptCache, "in_use", property(collecting))
    cache.trim()
    assert [each.tokens[0] for each in cache._conversations] == [3]


def test_an_answer_may_be_collected_while_a_conversation_is_looked_for(monkeypatch):
    model = ScriptedModel()
    cache = GenerationCache(model)
    _, second, _ = (asked(model, cache, [start] * 9) for start in (1, 2, 3))
    in_use = PromptCache.in_use

    def collecting(self):
        monkeypatch.setattr(PromptCache, "in_use", in_use)
        cache._forget_oldest()
        return self.in_use

    monkeypatch.setattr(PromptCache, "in_use", property(collecting))
    assert cache.conversation(make_prompt([2] * 9, [4]), rope_length=REACH) is second


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("start", [0, 9])
def test_quantised_keys_and_values_take_less_and_answer_alike(wide_model, bits, start):
    model = wide_model
    cache = PromptCache(model, KVPrecision(bits, start))
    prompt = make_prompt([1, 2], A, [3] * 8)
    _, logits = prefilled(model, prompt, step_size=3, cache=cache)
    wanted = fresh_logits(model, prompt)
    error = np.abs(logits - wanted).max() / wanted.std()
    assert 0 < error < {4: 0.5, 8: 0.03}[bits]
    assert len(tokens(model, prompt, max_tokens=5, cache=cache)) == 5
    plain, _ = prefilled(model, prompt)
    assert cache.nbytes < plain.nbytes
    assert {layer.offset for layer in cache.layers} == {len(cache)}


def test_precisions_do_not_share_a_cache(wide_model):
    cache = GenerationCache(wide_model)
    prompt = make_prompt([1] * 9)
    first, second, third = (
        cache.conversation(prompt, rope_length=REACH, precision=precision)
        for precision in (KVPrecision(), KVPrecision(8), KVPrecision(4))
    )
    assert len({id(first), id(second), id(third)}) == 3


@pytest.mark.parametrize("bits", [1, 2, 3, 16])
def test_other_bits_are_refused(bits):
    with pytest.raises(ValueError, match=f"4 or 8, not {bits}"):
        KVPrecision(bits)


def test_heads_that_cannot_be_quantised_are_refused():
    with pytest.raises(ValueError, match="heads of a multiple of 64"):
        PromptCache(ScriptedModel(), KVPrecision(8))


def test_a_fork_and_its_origin_do_not_write_into_each_other(model):
    origin, _ = prefilled(model, make_prompt([1, 2, 3, 4, 5]))
    fork = origin.forked(3)
    for cache, parts in ((fork, [[1, 2, 3, 7]]), (origin, [[1, 2, 3, 4, 5, 8]])):
        prompt = make_prompt(*parts)
        for _ in itertools.repeat(None, 2):
            _, logits = prefilled(model, prompt, cache=cache)
            assert_same(logits, fresh_logits(model, prompt))
