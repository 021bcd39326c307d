"""Positions as integers, beside the rule they follow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_glm45v.processing.positions import PlaceholderRun, rope_positions

# length, runs, temporal, height, width, delta
TABLE = {
    "text alone counts up on all axes": (
        4,
        [],
        [0, 1, 2, 3],
        [0, 1, 2, 3],
        [0, 1, 2, 3],
        0,
    ),
    "a picture spreads its rows and columns": (
        # two words, a picture of 2 x 3 merged patches, two words
        10,
        [PlaceholderRun(2, 8, (1, 4, 6))],
        [0, 1, 2, 2, 2, 2, 2, 2, 5, 6],
        [0, 1, 2, 2, 2, 3, 3, 3, 5, 6],
        [0, 1, 2, 3, 4, 2, 3, 4, 5, 6],
        -3,
    ),
    "frame pairs follow each other in time, with text between": (
        # frame, word, frame
        9,
        [PlaceholderRun(0, 4, (1, 4, 4)), PlaceholderRun(5, 9, (1, 4, 4))],
        [0, 0, 0, 0, 2, 3, 3, 3, 3],
        [0, 0, 1, 1, 2, 3, 3, 4, 4],
        [0, 1, 0, 1, 2, 3, 4, 3, 4],
        -4,
    ),
    "a tall picture moves the text on by its height": (
        4,
        [PlaceholderRun(0, 3, (1, 6, 2))],
        [0, 0, 0, 3],
        [0, 1, 2, 3],
        [0, 0, 0, 3],
        0,
    ),
    "a long picture of one row is text on one axis only": (
        3,
        [PlaceholderRun(0, 3, (1, 2, 6))],
        [0, 0, 0],
        [0, 0, 0],
        [0, 1, 2],
        0,
    ),
}


@pytest.mark.parametrize(
    ("length", "runs", "temporal", "height", "width", "delta"),
    TABLE.values(),
    ids=TABLE.keys(),
)
def test_positions_are_these_integers(length, runs, temporal, height, width, delta):
    positions, found = rope_positions(length, runs, merge_size=2)
    assert positions.dtype == np.int32
    assert positions.tolist() == [temporal, height, width]
    assert found == delta


grids = st.tuples(st.just(1), st.integers(1, 6), st.integers(1, 6)).map(
    lambda grid: (1, grid[1] * 2, grid[2] * 2)
)


@given(st.lists(st.tuples(st.integers(0, 5), grids), max_size=5), st.integers(0, 5))
def test_positions_end_where_the_delta_says(pieces, tail):
    runs, length = [], 0
    for text, grid in pieces:
        start = length + text
        length = start + grid[1] * grid[2] // 4
        runs.append(PlaceholderRun(start, length, grid))
    length += tail
    positions, delta = rope_positions(length, runs, merge_size=2)
    assert delta == (positions.max(initial=-1) + 1) - length
    if tail:
        # Text after the last picture agrees on all axes.
        assert np.all(positions[:, -tail:] == positions[0, -tail:])


@pytest.mark.parametrize(
    "runs",
    [
        [PlaceholderRun(0, 3, (1, 4, 4))],
        [PlaceholderRun(0, 8, (2, 4, 4))],
        [PlaceholderRun(0, 4, (1, 4, 4)), PlaceholderRun(3, 7, (1, 4, 4))],
        [PlaceholderRun(8, 12, (1, 4, 4))],
    ],
    ids=["wrong length", "two frames", "overlap", "past the end"],
)
def test_runs_that_do_not_fit_are_refused(runs):
    with pytest.raises(ValueError, match="placeholders"):
        rope_positions(10, runs, merge_size=2)
