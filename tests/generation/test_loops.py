"""What is a loop, and what only looks like one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.generation.answer import GenerationOptions
from mlx_glm45v.generation.loops import LoopGuard


def seen_at(tokens, run=256):
    """How many tokens it took to see a loop, None for never."""
    guard = LoopGuard(run)
    for count, token in enumerate(tokens, 1):
        guard.add(token)
        if guard.looping:
            return count
    return None


@pytest.mark.parametrize(
    ("block", "count"),
    [(1, 256), (2, 256), (7, 256), (64, 256), (100, 400), (512, 2048)],
)
def test_four_blocks_and_a_long_run_are_a_loop(block, count):
    assert seen_at(list(range(block)) * 300) == count


@settings(max_examples=30, deadline=None)
@given(
    before=st.lists(st.integers(0, 5), max_size=40),
    block=st.lists(st.integers(0, 5), min_size=1, max_size=20),
)
def test_a_loop_is_seen_wherever_it_begins(before, block):
    found = seen_at([*before, *block * 300])
    assert found is not None
    assert found <= len(before) + 256


@pytest.mark.parametrize(
    "tokens",
    [
        [7] * 255,
        list(range(3000)),
        # A table: rows begin alike and differ.
        [token for row in range(400) for token in (1, 2, row + 10, 3)],
        list(range(513)) * 5,
    ],
)
def test_ordinary_text_is_none(tokens):
    assert seen_at(tokens) is None


def test_nothing_is_watched_for_where_it_is_switched_off():
    assert seen_at([7] * 5000, run=0) is None


def test_a_restart_forgets():
    guard = LoopGuard(8)
    for _ in range(8):
        guard.add(1)
    assert guard.looping
    guard.restart()
    assert not guard.looping
    for _ in range(7):
        guard.add(1)
    assert not guard.looping


def test_a_negative_run_is_refused():
    with pytest.raises(ValueError, match="repetition_run"):
        GenerationOptions(repetition_run=-1)
