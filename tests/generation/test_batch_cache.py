"""A quantised batch holds, to the bit, what each of its rows would hold alone."""

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx_lm.models.cache import KVCache, QuantizedKVCache

from mlx_glm45v.generation.batch_cache import BatchQuantizedKVCache

HEADS, SIZE = 2, 64


def numbers(*shape):
    return mx.random.normal(shape)


def row(length, bits):
    """A cache of one row that holds random tokens."""
    layer = QuantizedKVCache(64, bits)
    layer.update_and_fetch(*(numbers(1, HEADS, length, SIZE) for _ in "kv"))
    return layer


def held(fetched, place, length):
    """The last `length` tokens of a row, all six arrays of it."""
    return [part[place, :, -length:] for each in fetched for part in each]


def assert_rows_are(batch, rows):
    """One more token for all, compared."""
    keys, values = (numbers(len(rows), HEADS, 1, SIZE) for _ in "kv")
    mask = batch.make_mask(1)
    fetched = batch.update_and_fetch(keys, values)
    assert batch.offset.tolist() == [each.offset + 1 for each in rows]
    for place, alone in enumerate(rows):
        one = slice(place, place + 1)
        expected = alone.update_and_fetch(keys[one], values[one])
        ours = held(fetched, place, alone.offset)
        theirs = held(expected, 0, alone.offset)
        assert all(mx.array_equal(*pair) for pair in zip(ours, theirs, strict=True))
        assert mask[place].sum().item() == alone.offset


# Rows join with so many tokens, or those at some places stay.
changes = st.one_of(
    st.integers(1, 300), st.lists(st.integers(0, 9), min_size=1, max_size=3)
)


@settings(max_examples=30, deadline=None)
@given(
    first=st.integers(1, 300),
    changes=st.lists(changes, max_size=5),
    bits=st.sampled_from([4, 8]),
)
def test_rows_join_grow_and_leave(first, changes, bits):
    rows = [row(first, bits)]
    batch = BatchQuantizedKVCache(rows[0])
    assert_rows_are(batch, rows)
    for change in changes:
        if isinstance(change, int):
            rows.append(row(change, bits))
            batch.extend(BatchQuantizedKVCache(rows[-1]))
        else:
            kept = list(dict.fromkeys(place % len(rows) for place in change))
            rows = [rows[place] for place in kept]
            batch.filter(mx.array(kept))
        assert_rows_are(batch, rows)


@pytest.mark.parametrize("bits", [4, 8])
def test_it_takes_a_share_of_the_memory(bits):
    plain = KVCache()
    plain.update_and_fetch(*(numbers(1, HEADS, 256, SIZE) for _ in "kv"))
    batch = BatchQuantizedKVCache(plain.to_quantized(64, bits))
    mx.eval(batch.state)
    taken = sum(array.nbytes for part in batch.state for array in part[:2])
    # A scale and a bias in float32 for each 64 numbers.
    assert taken == plain.nbytes * (bits + 1) // 32
