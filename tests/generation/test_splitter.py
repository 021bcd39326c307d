from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.generation.events import TextDelta
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.splitter import Splitter, merge


def split(pieces, *, markers=Markers(), open_thinking=False):  # noqa: B008
    splitter = Splitter(markers, open_thinking=open_thinking)
    deltas = [delta for piece in pieces for delta in splitter.feed(piece)]
    return merge(deltas + splitter.finish())


def thinking(text, boxed=False):
    return TextDelta("thinking", text, boxed)


def answer(text, boxed=False):
    return TextDelta("answer", text, boxed)


def tool(text):
    return TextDelta("tool", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Paris.", [answer("Paris.")]),
        ("<think>hm</think>Paris.", [thinking("hm"), answer("Paris.")]),
        ("\n<think>\nhm\n</think>\n\nParis.\n", [thinking("hm"), answer("Paris.\n")]),
        ("<think></think>\nParis.", [answer("Paris.")]),
        ("<think>a\n\nb</think>c\n\nd", [thinking("a\n\nb"), answer("c\n\nd")]),
        ("<think>never closed", [thinking("never closed")]),
        ("<think>never closed</thi", [thinking("never closed</thi")]),
        ("no opening</think>\nfine", [answer("no openingfine")]),
        ("<think>a<think>b</think>c", [thinking("ab"), answer("c")]),
        (
            "one<think>two</think>three",
            [answer("one"), thinking("two"), answer("three")],
        ),
        (
            "It is <|begin_of_box|>42<|end_of_box|>.",
            [answer("It is "), answer("42", boxed=True), answer(".")],
        ),
        (
            "So\n<|begin_of_box|>\n42\n<|end_of_box|>\nend",
            [answer("So\n"), answer("\n42\n", boxed=True), answer("\nend")],
        ),
        ("<|begin_of_box|>42", [answer("42", boxed=True)]),
        ("42<|end_of_box|>!", [answer("42!")]),
        (
            "<think><|begin_of_box|>4</think>5",
            [thinking("4", boxed=True), answer("5")],
        ),
        ("a<|begin_of_image|>b<|user|>c", [answer("abc")]),
        ("<answer>5</answer>", [answer("<answer>5</answer>")]),
        ("a < b and c <= d", [answer("a < b and c <= d")]),
        ("<thinking>", [answer("<thinking>")]),
        ("<div>\n</div>", [answer("<div>\n</div>")]),
        ("ends with <", [answer("ends with <")]),
        ("<<think>x", [answer("<"), thinking("x")]),
        (
            "Look.\n<tool_call>f\n<arg_key>k</arg_key>\n</tool_call>\n"
            "<tool_call>g</tool_call>",
            [answer("Look."), tool("f\n<arg_key>k</arg_key>"), tool("g")],
        ),
        ("<tool_call>cut sh", [tool("cut sh")]),
        ("<tool_call>\n</tool_call>ok", [answer("ok")]),
    ],
)
def test_text_goes_to_its_channel(text, expected):
    assert split([text]) == expected
    assert split(list(text)) == expected


def test_thinking_that_the_prompt_opened_goes_on():
    assert split(["hm</think>\nParis."], open_thinking=True) == [
        thinking("hm"),
        answer("Paris."),
    ]


def test_a_continued_answer_keeps_its_newlines():
    assert split(["\n- second"]) == [answer("\n- second")]


def test_answer_tags_are_dropped_where_the_checkpoint_has_them():
    markers = Markers(answer=("<answer>", "</answer>"))
    text = "<think>hm</think>\n<answer>\n5\n</answer>"
    assert split([text], markers=markers) == [thinking("hm"), answer("5")]


def test_text_is_not_held_back_without_need():
    splitter = Splitter(Markers())
    assert splitter.feed("a < b") == [answer("a < b")]
    assert splitter.feed(" <th") == [answer(" ")]
    assert splitter.feed("ree>") == [answer("<three>")]


TAGS = st.sampled_from(
    [*Markers().tags, "<thinking>", "<th", "<|begin_of_", "<", ">", "\n", "\n\n", "ab"]
)


@settings(deadline=None)
@given(st.lists(TAGS, max_size=12), st.data(), st.booleans())
def test_the_cut_does_not_matter(words, data, open_thinking):
    text = "".join(words)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    edges = [0, *cuts, len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    whole = split([text], open_thinking=open_thinking)
    assert split(pieces, open_thinking=open_thinking) == whole


@settings(deadline=None)
@given(st.lists(TAGS, max_size=12))
def test_no_marker_leaks_out_of_its_channel(words):
    for delta in split(["".join(words)]):
        if delta.channel != "tool":
            assert not any(tag in delta.text for tag in Markers().tags)


@settings(deadline=None)
@given(st.text(alphabet="ab<>/|\n thinkTHINK_", max_size=40))
def test_text_without_markers_is_untouched(text):
    if not any(tag in text for tag in Markers().tags):
        assert "".join(delta.text for delta in split(list(text))) == text


def test_markers_that_begin_with_each_other_are_refused():
    with pytest.raises(ValueError, match="begins with"):
        Markers(hidden=("<a", "<a>"))


class Vocabulary:
    def __init__(self, **ids):
        self.ids = ids

    def encode(self, text):
        return [7] if text == "\n" else [0]

    def id_of(self, token):
        return self.ids.get(token)


def test_markers_are_those_that_the_vocabulary_has():
    ids = {"<think>": 3, "</think>": 4, "<answer>": 5, "</answer>": 6, "<|user|>": 8}
    assert Markers.of(Vocabulary(**ids)) == Markers(
        thinking=("<think>", "</think>"),
        box=None,
        tool=None,
        answer=("<answer>", "</answer>"),
        hidden=("<|user|>",),
        close_ids=(7, 4),
    )


def test_a_checkpoint_that_cannot_think_has_nothing_to_close():
    markers = Markers.of(Vocabulary())
    assert markers.thinking is None
    assert markers.close_ids == ()
    assert split(["<think>x"], markers=markers) == [answer("<think>x")]
