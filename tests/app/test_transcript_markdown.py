"""Text becomes blocks: no word is lost, no HTML gets through, streams end the same."""

import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PySide6.QtGui import QTextDocument, QTextFormat

from app.conversation import Box
from app.ui.palette import DARK, LIGHT
from app.ui.transcript.look import Drawn, Look
from app.ui.transcript.markdown import (
    Block,
    Code,
    Formula,
    Prose,
    Stream,
    blocks,
    clean,
    grouped,
    in_steps,
    marked,
    without_marks,
)
from app.ui.transcript.rich_text import formulas, html

_MARKS = (
    "# ", "## ", "- ", "* ", "+ ", "1. ", "> ", "```", "```python", "~~~", "    ",
    "\t", "`", "``", "*", "**", "_", "~~", "[", "](", ")", "![", "|", "|---|", "| ",
    "$", "$$", "\\(", "\\)", "\\[", "\\]", "\\", "---", "===", "<b>", "</b>", "<!--",
    "<script>", "&amp;", "&#60;", "http://a.b/", "<http://a.b>", "\n", "\n\n", "\r\n",
    " ", ":", "^", "{", "}", "\0", "\ud800", "\ufdd0", "\ufdd1", "é", "語", "😀",
)  # fmt: skip
_WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")
_texts = st.lists(st.sampled_from(_MARKS + _WORDS * 3), max_size=60).map("".join)
_TAGS = {
    *("html", "body", "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li"),
    *("table", "thead", "tbody", "tr", "th", "td", "hr", "br", "a", "strong", "em"),
    *("s", "span", "div"),
}


def shown(all_blocks: tuple[Block, ...]) -> str:
    """Everything that a reader finds, addresses of links included."""
    parts = []
    for block in all_blocks:
        if isinstance(block, Code):
            parts += [block.language, block.text]
        elif isinstance(block, Formula):
            parts.append(block.source)
        else:
            parts.append(page(block))
    return unescape("\n".join(parts))


def page(block: Prose) -> str:
    return html(block.tokens, Look(LIGHT, 1.0), undrawn)


def undrawn(formula: Formula) -> Drawn | None:
    del formula
    return None


def streamed(text: str, cuts: list[int]) -> tuple[Block, ...]:
    stream, single = Stream(), []
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    for start, stop in pairwise(places):
        single += stream.feed(text[start:stop])
    single += stream.finish()
    return tuple(grouped(single))


@given(_texts)
@settings(max_examples=400, deadline=None)
def test_every_word_of_any_text_survives(text: str) -> None:
    found = shown(blocks(marked(text)))
    for word in _WORDS:
        assert found.count(word) >= text.count(word)


@given(st.one_of(_texts, st.text()))
@settings(max_examples=400, deadline=None)
def test_no_tag_but_our_own_is_written(text: str) -> None:
    class Tags(HTMLParser):
        def handle_starttag(
            self, tag: str, attrs: list[tuple[str, str | None]]
        ) -> None:
            assert tag in _TAGS
            for name, value in attrs:
                assert not name.startswith("on")
                if name == "href":
                    assert re.match(r"https?://|mailto:|box:\d+$", value or "")

        def handle_comment(self, data: str) -> None:
            pytest.fail(f"a comment: {data}")

    for block in blocks(marked(text)):
        if isinstance(block, Prose):
            Tags().feed(page(block))


# What looks like a displayed formula and is none: never closed, or empty.
@example("`\n\\[`\n\\[`", [6])
@example("words\n$$\nmore\n\nand more", [14])
@example("$$$$\n`\\]1. \n|", [5])
@given(_texts, st.lists(st.integers(0, 1000), max_size=20))
@settings(max_examples=600, deadline=None)
def test_a_stream_ends_as_the_text_at_once(text: str, cuts: list[int]) -> None:
    text = marked(text)
    assert streamed(text, cuts) == blocks(text)


@given(_texts)
@settings(max_examples=100, deadline=None)
def test_parsing_in_steps_gives_the_same(text: str) -> None:
    assert tuple(b for step in in_steps(text * 40) for b in step) == blocks(text * 40)


def test_text_deeper_than_the_parser_goes_keeps_its_words() -> None:
    for text in (
        ">" * 300 + " deep",
        "\n".join("  " * n + "- deep" for n in range(90)),
    ):
        assert shown(blocks(text)).count("deep") == text.count("deep")


@pytest.mark.parametrize(
    ("text", "size"), [("# a", 20), ("## a", 17), ("### a", 15), ("###### a", 15)]
)
def test_headings_have_the_sizes_of_the_app(text: str, size: int) -> None:
    (block,) = blocks(text)
    document = QTextDocument()
    document.setHtml(page(block))
    form = document.firstBlock().begin().fragment().charFormat()
    assert form.font().pixelSize() == size
    assert form.intProperty(QTextFormat.Property.FontSizeAdjustment) == 0


def test_tasks_have_boxes() -> None:
    (block,) = blocks("- [ ] open\n- [x] done\n- [y] neither\n\n[ ] no task")
    written = page(block)
    assert "\u2610 open" in written
    assert "\u2611 done" in written
    assert "[y] neither" in written
    assert "[ ] no task" in written


def test_raw_html_is_shown_as_text() -> None:
    (block,) = blocks("<script>alert(1)</script> and <img src=x onerror=y>")
    assert isinstance(block, (Prose, Code))
    assert "&lt;script&gt;" in page(block)


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("$x^2$", ["x^2"]),
        ("so \\(a\\) and \\[b\\] end", ["a", "b"]),
        ("in a line $$c$$ too", ["c"]),
        ("costs $5 and $6", []),
        ("from $5 to $10", []),
        ("$HOME and `$x$`", []),
        ("open $x and \\(y", []),
        ("$ spaced $", []),
        ("\\$5 or $y$", ["y"]),
    ],
)
def test_formulas_in_a_line(text: str, latex: list[str]) -> None:
    (block,) = blocks(text)
    assert isinstance(block, Prose)
    assert [formula.latex for formula in formulas(block.tokens)] == latex


@pytest.mark.parametrize(
    "text", ["$$\na\n+ b\n$$", "\\[\na\n+ b\n\\]", "$$a\n+ b$$", "  $$\n  a\n  + b\n$$"]
)
def test_a_displayed_formula_is_a_block(text: str) -> None:
    assert blocks(text) == (Formula("a\n+ b", True, ""),)


def test_an_open_formula_stays_as_it_was_written() -> None:
    assert "\\(x and \\[y" in shown(blocks("\\(x and \\[y"))


def test_a_formula_is_not_closed_before_its_end() -> None:
    stream = Stream()
    assert stream.feed("$$\na\n") == ()
    assert stream.feed("+ b\n$$\n") == ()
    assert stream.feed("\nnext\n") == (Formula("a\n+ b", True, ""),)


def test_open_code_is_known_while_it_streams() -> None:
    stream = Stream()
    stream.feed("words\n\n```python\nx = 1\n``")
    assert stream.open_code() == Code("python", "x = 1")


def test_code_in_a_list_gets_a_card_and_the_list_goes_on() -> None:
    text = "1. one\n\n   ```sh\n   ls\n   ```\n\n   more\n2. two\n   - a\n"
    text += "\n         x\n3. end"
    first, code, second, indented, third = blocks(text)
    assert code == Code("sh", "ls", 1)
    assert indented == Code("", "x", 2)
    assert "one" in page(first)
    assert re.search(r"<div[^>]*>(<p[^>]*>)?more.*</div><ol start=\"2\"", page(second))
    assert re.search(r"<ol start=\"3\"[^>]*><li[^>]*>(<p[^>]*>)?end", page(third))
    for block in (first, second, third):
        for tag in ("ol", "ul", "li", "div"):
            assert page(block).count(f"<{tag} ") == page(block).count(f"</{tag}>")


def test_a_long_list_comes_in_pieces_that_go_on_counting() -> None:
    text = "\n".join(f"{n}. some words of item {n}" for n in range(1, 401))
    found = blocks(text)
    assert len(found) > 2
    second = page(found[1])
    start = re.search(r'<ol start="(\d+)"', second)
    assert start
    assert f"item {start[1]}<" in second
    assert f"item {int(start[1]) - 1}<" in page(found[0])


def test_pictures_and_foreign_targets_are_written_out() -> None:
    (block,) = blocks("![a cat](http://x.y/cat.png) [here](other/file.txt)")
    assert isinstance(block, Prose)
    text = page(block)
    assert "<img" not in text
    assert "here (other/file.txt)" in text


def test_the_words_of_a_box_become_its_link() -> None:
    text = "It is **at [[1, 2, 3, 4]]** there."
    start, stop = text.index("[["), text.index("]]") + 2
    box = Box("it", "d", None, 1, 2, 3, 4, 10, 10, start, stop)
    (block,) = blocks(marked(text, (box,)))
    assert isinstance(block, Prose)
    assert re.search(r'href="box:0"[^>]*>\[\[1, 2, 3, 4\]\]</a></strong>', page(block))


def test_a_box_in_code_leaves_the_code_as_it_is() -> None:
    text = '```json\n{"box": [1, 2]}\n```'
    start = text.index("[1")
    box = Box("it", "d", None, 1, 2, 3, 4, 10, 10, start, start + 6)
    assert blocks(marked(text, (box,))) == (Code("json", '{"box": [1, 2]}'),)


def test_boxes_outside_the_text_or_in_one_another_are_left_out() -> None:
    boxes = tuple(
        Box("b", "d", None, 0, 0, 1, 1, 9, 9, start, stop)
        for start, stop in ((0, 5), (3, 8), (7, 99), (-1, 2), (4, 4))
    )
    assert without_marks(marked("some words", boxes)) == "some words"
    assert marked("some words", boxes).count("\ufdd0") == 1


@given(st.text())
def test_cleaning_keeps_the_length(text: str) -> None:
    assert len(clean(text)) == len(text)


def test_both_themes_write_their_own_colours() -> None:
    (block,) = blocks("[a](http://b.c)")
    assert isinstance(block, Prose)
    for palette in (LIGHT, DARK):
        text = html(block.tokens, Look(palette, 1.5), undrawn)
        assert palette.accent in text
        assert "font-size:21px" in text
