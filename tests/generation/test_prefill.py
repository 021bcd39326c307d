import gc
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.generation.features import FeatureCache
from mlx_glm45v.generation.pieces import (
    PIECE_FLOPS,
    decoder_layer_flops,
    vision_block_flops,
)
from mlx_glm45v.generation.prefill import (
    BATCH_PATCHES,
    bounded_step,
    encode_media,
    plan_batches,
    plan_chunks,
    shared_delta,
)
from tests.generation.fakes import make_prompt
from tests.generation.small_model import exhaust, prefilled

REAL = Glm4vMoeConfig.from_dict(
    {
        "text_config": {"head_dim": 128, "vocab_size": 151552},
        "vision_config": {"intermediate_size": 10944},
    }
)


@pytest.mark.parametrize(
    ("start", "stop", "largest", "sizes"),
    [
        (0, 1, 2048, [1]),
        (0, 2048, 2048, [2048]),
        (0, 2050, 2048, [1025, 1025]),
        (10, 2060, 2048, [1025, 1025]),
        (0, 5000, 2048, [1666, 1667, 1667]),
    ],
)
def test_chunks_are_balanced(start, stop, largest, sizes):
    assert [b - a for a, b in plan_chunks(start, stop, largest)] == sizes


@settings(deadline=None)
@given(st.integers(0, 100), st.integers(1, 9999), st.integers(128, 2048))
def test_chunks_cover_everything_without_a_short_rest(start, length, largest):
    chunks = plan_chunks(start, start + length, largest)
    assert [a for a, _ in chunks] == [start, *(b for _, b in chunks[:-1])]
    assert chunks[-1][1] == start + length
    sizes = [b - a for a, b in chunks]
    assert max(sizes) <= largest
    if length > largest:
        assert min(sizes) >= 64


@pytest.mark.parametrize("context", [2048, 32768, 65536, 131072])
def test_one_layer_of_a_chunk_is_a_bounded_piece(context):
    step = bounded_step(REAL, 2048, context=context)
    flops = decoder_layer_flops(REAL.text_config, tokens=step, context=context)
    assert flops <= PIECE_FLOPS
    assert step >= 512


def test_the_arithmetic_agrees_with_the_known_sums():
    # 12.8 G weights are read per token, 0.62 G of them by the head.
    layer = decoder_layer_flops(REAL.text_config, tokens=1, context=0)
    assert 46 * layer / 2 == pytest.approx(12.8e9 - 0.62e9, rel=0.03)
    # The largest picture costs about 120 TFLOP.
    assert 24 * vision_block_flops(REAL.vision_config, [24_576]) == pytest.approx(
        120e12, rel=0.05
    )


def test_one_block_of_the_largest_picture_is_a_bounded_piece():
    assert vision_block_flops(REAL.vision_config, [24_576]) < 10e12


def spans_of(*sizes):
    parts = [("video", i, size) for i, size in enumerate(sizes)]
    return list(make_prompt(*parts).spans)


def test_neighbours_of_one_size_are_encoded_together():
    sizes = [(2, 2), (2, 2), (4, 4), (2, 2)]
    batches = plan_batches(spans_of(*sizes))
    assert [[span.grid_thw[1:] for span in batch] for batch in batches] == [
        [(2, 2), (2, 2)],
        [(4, 4)],
        [(2, 2)],
    ]


def test_a_batch_keeps_to_its_patch_budget():
    side = 32
    (span,) = spans_of((side, side))
    batches = plan_batches([replace(span, digest=str(i)) for i in range(9)])
    assert [len(batch) for batch in batches] == [2, 2, 2, 2, 1]
    assert 2 * side**2 == BATCH_PATCHES


@pytest.mark.parametrize(
    ("start", "stop", "delta"),
    [(0, 2, 0), (2, 6, None), (0, 9, None), (6, 9, -2), (1, 4, None), (8, 9, -2)],
)
def test_axes_agree_outside_pictures(start, stop, delta):
    prompt = make_prompt([1, 2], ("image", 1, (4, 4)), [3, 4, 5])
    assert shared_delta(prompt.positions, start, stop) == delta


def test_a_token_after_the_prompt_continues_the_delta():
    prompt = make_prompt([1, 2], ("image", 1, (4, 4)), [3])
    length = len(prompt)
    assert shared_delta(prompt.positions, length - 1, length) == prompt.rope_delta
    assert np.all(prompt.positions[:, -1] == length - 1 + prompt.rope_delta)


@pytest.mark.parametrize("length", [255, 256])
def test_a_cache_keeps_no_more_than_its_keys_and_values(either_demo, length):
    """A chunk that fills a step is kept as it is: it must not be a view of more."""
    model, prompt = either_demo[0], make_prompt([7] * length)
    mx.clear_cache()
    before = mx.get_active_memory()
    cache, _ = prefilled(model, prompt)
    assert mx.get_active_memory() - before <= 1.05 * cache.nbytes


def test_kept_features_take_what_they_count_and_not_their_neighbours(model):
    """Eight pictures of one size are encoded together; of each eight one stays."""
    one = 64 * model.config.text_config.hidden_size * 4
    known = FeatureCache(16 * one)
    before = active_memory()
    for first in range(0, 64, 8):
        pictures = [("image", first + place, (16, 16)) for place in range(8)]
        exhaust(encode_media(model, make_prompt(*pictures), known=known))
        for kept in range(0, first + 8, 8):
            assert known.get((f"{kept}", (1, 16, 16))) is not None
    assert known.nbytes == 16 * one
    assert active_memory() - before <= 1.05 * known.nbytes


def active_memory():
    gc.collect()
    mx.clear_cache()
    return mx.get_active_memory()
