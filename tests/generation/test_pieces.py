import mlx.core as mx
import pytest

from mlx_glm45v.errors import Cancelled
from mlx_glm45v.generation.pieces import PIECE_FLOPS, Pieces

MEGABYTE = 1 << 20


def layer(x):
    return mx.concatenate([x, mx.ones((MEGABYTE,), dtype=mx.uint8)])


@pytest.mark.parametrize(
    ("flops", "layers"), [(PIECE_FLOPS, 1), (PIECE_FLOPS / 3.5, 3), (9e99, 1)]
)
def test_a_full_piece_is_evaluated(flops, layers):
    pieces = Pieces(flops, None)
    states = mx.zeros((1,), dtype=mx.uint8)
    mx.eval(states)
    before = mx.get_active_memory()
    for number in range(1, 2 * layers + 1):
        states = layer(states)
        pieces(states)
        computed = (mx.get_active_memory() - before) // MEGABYTE
        assert computed == number // layers * layers


def test_small_work_is_not_interrupted():
    asked = []
    pieces = Pieces(1e6, lambda: bool(asked.append(1)))
    for _ in range(100):
        pieces(mx.zeros((1,)))
    assert asked == []


def test_a_stop_comes_right_after_an_evaluation():
    pieces = Pieces(PIECE_FLOPS / 2, lambda: True)
    before = mx.get_active_memory()
    states = layer(mx.zeros((1,), dtype=mx.uint8))
    pieces(states)
    with pytest.raises(Cancelled):
        pieces(states)
    assert mx.get_active_memory() - before >= MEGABYTE
