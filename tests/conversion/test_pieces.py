"""The order of source files: each is needed for one stretch of time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.conversion.pieces import in_order_of_files, most_files_at_once
from mlx_glm45v.conversion.plan import Parameter, Piece
from mlx_glm45v.conversion.stored import Plain, ScaledRows, Span
from mlx_glm45v.safetensors_header import TensorInfo


def info(file: int, place: int = 0) -> TensorInfo:
    path = Path(f"model-{file:05d}.safetensors")
    return TensorInfo(path, "BF16", (1, 1), place, place + 2)


def piece(number: int, file: int, scales: int | None = None) -> Piece:
    """A weight in one file, its scales perhaps in another."""
    data = info(file, 2 * number)
    stored = Plain(data) if scales is None else ScaledRows(data, info(scales))
    span = Span(f"tensor {number}", stored, 0, 1, 1, 0, 1)
    return Piece(number, Parameter("key", (1, 1), None, (), (span,)), span)


FILES = st.integers(0, 6)


@st.composite
def pieces(draw: st.DrawFn) -> list[Piece]:
    places = draw(st.lists(st.tuples(FILES, st.none() | FILES), max_size=20))
    return [piece(number, *place) for number, place in enumerate(places)]


@settings(deadline=None)
@given(pieces())
def test_every_piece_comes_once_while_its_files_are_there(pieces: list[Piece]):
    brought: list[Path] = []
    gone: set[Path] = set()
    done: list[int] = []
    for file, ready, finished in in_order_of_files(pieces):
        if file not in brought:
            brought.append(file)
        assert file not in gone
        for ready_piece in ready:
            assert ready_piece.span.files <= {*brought} - gone
            done.append(ready_piece.number)
        assert gone.isdisjoint(finished)
        gone.update(finished)
    assert Counter(done) == Counter(piece.number for piece in pieces)
    assert brought == sorted(gone)


@settings(deadline=None)
@given(pieces())
def test_a_file_is_given_back_as_soon_as_nothing_needs_it(pieces: list[Piece]):
    left = Counter(file for piece in pieces for file in piece.span.files)
    for _, ready, finished in in_order_of_files(pieces):
        left.subtract(file for piece in ready for file in piece.span.files)
        assert all(left.pop(file) == 0 for file in finished)
        assert all(left.values())


def test_pieces_cut_apart_come_first_so_that_the_earlier_file_goes():
    order = list(in_order_of_files([piece(0, 2), piece(1, 1, 2), piece(2, 1)]))
    assert [[piece.number for piece in ready] for _, ready, _ in order] == [
        [2],
        [1],
        [0],
    ]
    assert [[file.name[6:11] for file in gone] for *_, gone in order] == [
        [],
        ["00001"],
        ["00002"],
    ]


@pytest.mark.parametrize(
    ("places", "most"),
    [
        ([], 0),
        ([(1, None), (2, None), (3, None)], 1),
        ([(1, 1), (2, 2)], 1),
        ([(1, 2), (2, 3), (3, 4)], 2),
        ([(1, 3), (2, None)], 2),
        ([(1, 3), (2, 3)], 3),
        ([(4, 1), (4, 2), (3, None)], 3),
    ],
)
def test_so_many_files_are_needed_at_once(
    places: list[tuple[int, int | None]], most: int
):
    assert most_files_at_once(piece(n, *p) for n, p in enumerate(places)) == most
