"""A step of a batch: what it waits for, what it leaves behind, what it refuses."""

import io

import mlx.core as mx
import pytest

from mlx_glm45v.generation.batch_decode import BatchDecoder
from mlx_glm45v.generation.cache import AS_MADE, KVPrecision, PromptCache
from mlx_glm45v.generation.decode import Decoder
from mlx_glm45v.generation.sampling import Chooser, SamplingOptions
from tests.generation.fakes import CONFIG, make_prompt
from tests.generation.small_model import prefilled
from tests.generation.test_decode import waits

REACH = 100
PROMPTS = [
    make_prompt([1, 2], ("image", 1, (4, 4)), [3]),
    make_prompt([4]),
    make_prompt([5] * 9),
]


def chooser(prompt):
    return Chooser(
        SamplingOptions(),
        vocab_size=CONFIG.text_config.vocab_size,
        prompt=prompt.token_ids.tolist(),
    )


def joined(model, prompts, precision=AS_MADE):
    batch = BatchDecoder(model)
    for prompt in prompts:
        cache, logits = prefilled(model, prompt, cache=PromptCache(model, precision))
        batch.add(cache, chooser(prompt), mx.array(logits), rope_length=REACH)
    return batch


def alone(model, prompt, *, count=8, forced_after=None):
    cache, logits = prefilled(model, prompt)
    decoder = Decoder(
        model, cache, chooser(prompt), mx.array(logits), rope_length=REACH
    )
    said = []
    for index in range(count):
        if index == forced_after:
            decoder.force([8, 9])
        said.append(decoder.read())
    return said


def test_each_row_says_what_it_says_alone(model):
    batch = joined(model, PROMPTS)
    said = [list(row) for row in zip(*(batch.read() for _ in range(8)), strict=True)]
    assert said == [alone(model, prompt) for prompt in PROMPTS]


def test_forced_tokens_take_the_place_of_the_one_on_its_way(model):
    batch = joined(model, PROMPTS)
    said = [batch.read()]
    batch.force(1, [8, 9])
    said += [batch.read() for _ in range(9)]
    first, second, third = (list(row) for row in zip(*said, strict=True))
    assert first[:8] == alone(model, PROMPTS[0])
    assert third[:8] == alone(model, PROMPTS[2])
    assert second[1:3] == [None, None]
    assert [second[0], *second[3:]] == alone(model, PROMPTS[1], forced_after=1)


@pytest.mark.parametrize("kept", [[0], [1], [2], [0, 2], [2, 1], [1, 2]])
def test_rows_that_stay_go_on_and_others_join_them(model, kept):
    batch = joined(model, PROMPTS)
    before = batch.read()
    batch.keep(kept)
    cache, logits = prefilled(model, PROMPTS[1])
    batch.add(cache, chooser(PROMPTS[1]), mx.array(logits), rope_length=REACH)
    after = list(zip(*(batch.read() for _ in range(7)), strict=True))
    for row, prompt in enumerate(kept):
        assert [before[prompt], *after[row]] == alone(model, PROMPTS[prompt])
    assert list(after[-1]) == alone(model, PROMPTS[1], count=7)


def test_a_batch_that_was_left_by_all_starts_anew(model):
    batch = joined(model, PROMPTS)
    batch.keep([])
    assert len(batch) == 0
    cache, logits = prefilled(model, PROMPTS[0])
    batch.add(cache, chooser(PROMPTS[0]), mx.array(logits), rope_length=REACH)
    assert [batch.read() for _ in range(8)] == [[t] for t in alone(model, PROMPTS[0])]


def test_the_prompts_own_cache_stays_as_it_was(model):
    cache, logits = prefilled(model, PROMPTS[0])
    before = [mx.array(layer.keys) for layer in cache.layers]
    batch = BatchDecoder(model)
    batch.add(cache, chooser(PROMPTS[0]), mx.array(logits), rope_length=REACH)
    batch.read()
    assert {layer.offset for layer in cache.layers} == {len(PROMPTS[0])}
    for layer, keys in zip(cache.layers, before, strict=True):
        assert mx.array_equal(layer.keys, keys)


def test_a_step_reads_its_tokens_at_once():
    """Layers are evaluated where rows join and leave, not in a step."""
    assert sorted(waits("batch_decode.py")) == [
        "async_eval",
        "async_eval",
        "eval",
        "eval",
        "tolist",
    ]


def operations(arrays):
    """Operations that `arrays` wait for."""
    graph = io.StringIO()
    mx.export_to_dot(graph, *arrays)
    return graph.getvalue().count("label")


@pytest.mark.parametrize("precision", [AS_MADE, KVPrecision(8)])
def test_no_layer_gathers_work_that_nobody_asks_for(wide_model, precision):
    batch = joined(wide_model, PROMPTS, precision)
    waiting = []
    for _ in range(6):
        batch.read()
        mx.eval(batch._next)
        waiting.append(operations([layer.offset for layer in batch._layers]))
    assert waiting[-1] == waiting[0]
