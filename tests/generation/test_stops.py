import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.generation.events import TextDelta
from mlx_glm45v.generation.splitter import merge
from mlx_glm45v.generation.stops import StopStrings


def run(stops, pieces, channel="answer"):
    search = StopStrings(stops)
    passed = []
    for piece in pieces:
        passed += search.feed([TextDelta(channel, piece)])
    passed += search.finish()
    return "".join(delta.text for delta in passed), search.met


@pytest.mark.parametrize(
    ("stops", "pieces", "text", "met"),
    [
        ([], ["END"], "END", False),
        (["END"], ["one END two"], "one ", True),
        (["END"], ["one E", "N", "D two"], "one ", True),
        (["END"], ["one E", "N", "C"], "one ENC", False),
        (["END"], ["one EN"], "one EN", False),
        (["END"], ["ENEND"], "EN", True),
        (["abc", "b"], ["abc"], "a", True),
        (["bc", "abc"], ["xabcd"], "x", True),
        (["\n\n"], ["a\n", "\n", "b"], "a", True),
    ],
)
def test_the_answer_ends_before_the_stop_string(stops, pieces, text, met):
    assert run(stops, pieces) == (text, met)


def test_thinking_is_not_searched():
    assert run(["END"], ["an END"], channel="thinking") == ("an END", False)


def test_what_stood_before_another_channel_is_not_held_back():
    search = StopStrings(["END"])
    deltas = [
        TextDelta("answer", "E"),
        TextDelta("tool", "f"),
        TextDelta("answer", "E"),
    ]
    assert search.feed(deltas) == deltas[:2]
    assert search.finish() == deltas[2:]


def test_boxed_text_keeps_its_flag():
    search = StopStrings(["END"])
    deltas = [TextDelta("answer", "1E"), TextDelta("answer", "N2", boxed=True)]
    assert merge(search.feed(deltas)) == [
        TextDelta("answer", "1E"),
        TextDelta("answer", "N2", boxed=True),
    ]


@settings(deadline=None)
@given(
    st.lists(st.text("ab", min_size=1, max_size=4), max_size=3),
    st.text("abc", max_size=20),
)
def test_the_cut_does_not_matter(stops, text):
    assert run(stops, [text]) == run(stops, list(text))
