"""Attention in blocks equals attention at once and stays within its memory."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models.cache import QuantizedKVCache

from mlx_glm45v.model.attention import Mask, attend, attention_weights
from tests.model.memory import MIB, peak_of


def heads(
    length: int = 12, total: int = 20, dim: int = 32
) -> tuple[mx.array, mx.array, mx.array]:
    keys = mx.random.split(mx.random.key(3), 3)
    return (
        mx.random.normal((2, 6, length, dim), key=keys[0]),
        mx.random.normal((2, 2, total, dim), key=keys[1]),
        mx.random.normal((2, 2, total, dim), key=keys[2]),
    )


def padding_mask(length: int, total: int) -> mx.array:
    columns = mx.arange(total)
    seen = columns >= mx.array([0, 5])[:, None, None, None]
    return seen & (columns <= columns[total - length :, None])


MASKS = [None, "causal", padding_mask(12, 20), padding_mask(1, 20)]


@pytest.mark.parametrize("mask", MASKS, ids=["none", "causal", "rows", "one row"])
def test_blocks_equal_attention_at_once(mask: Mask) -> None:
    queries, keys, values = heads()
    whole = attend(queries, keys, values, scale=0.2, mask=mask)
    # Ten operations run ahead, a row of scores is 2 * 6 * 20 * 4 bytes: 5 rows a block.
    blocks = attend(
        queries, keys, values, scale=0.2, mask=mask, scores_bytes=5 * 10 * 960
    )
    np.testing.assert_allclose(np.array(blocks), np.array(whole), atol=1e-6)


def test_attention_weights_are_those_of_the_result() -> None:
    queries, keys, values = heads()
    weights = attention_weights(queries, keys, scale=0.2, mask="causal")
    assert weights.shape == (2, 6, 12, 20)
    np.testing.assert_allclose(np.array(weights.sum(axis=-1)), 1, rtol=1e-5)
    repeated = mx.repeat(values, 3, axis=1)
    whole = attend(queries, keys, values, scale=0.2, mask="causal")
    np.testing.assert_allclose(np.array(weights @ repeated), np.array(whole), atol=1e-5)


@pytest.mark.parametrize("mask", [None, "causal"])
def test_a_quantised_cache_is_read_in_blocks_too(mask: Mask) -> None:
    queries, keys, values = heads(length=12, total=12, dim=64)
    cache = QuantizedKVCache(group_size=32, bits=8)
    packed_keys, packed_values = cache.update_and_fetch(keys, values)

    def run(scores_bytes: int) -> np.ndarray:
        out = attend(
            mx.array(queries),
            packed_keys,
            packed_values,
            scale=0.1,
            mask=mask,
            cache=cache,
            scores_bytes=scores_bytes,
        )
        return np.array(out)

    exact = attend(queries, keys, values, scale=0.1, mask=mask)
    np.testing.assert_allclose(run(10**9), np.array(exact), atol=0.02)
    np.testing.assert_allclose(run(5 * 10 * 576), run(10**9), atol=1e-6)


def test_attention_weights_of_a_quantised_cache_are_refused() -> None:
    queries, keys, _ = heads(dim=64)
    with pytest.raises(ValueError, match="quantised"):
        attention_weights(queries, mx.quantize(keys), scale=1.0, mask=None)


@pytest.mark.parametrize("mask", [None, "causal"])
def test_scores_stay_within_their_bound(mask: Mask) -> None:
    """A chunk against a long cache: 16 MiB of scores where 2 are allowed."""
    queries = mx.random.normal((1, 8, 256, 8))
    keys, values = mx.random.normal((2, 1, 1, 2048, 8))
    mx.eval(queries, keys, values)
    bound = 2 * MIB

    def run() -> mx.array:
        return attend(queries, keys, values, scale=1.0, mask=mask, scores_bytes=bound)

    assert peak_of(run) < bound + MIB // 2
