"""A long paste stands above the field, belongs to the message and can be removed."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QToolButton

from app.ui.composer import Composer
from app.ui.composer.field import MOST_CHARACTERS
from app.ui.composer.pasted import MOST_SHOWN, joined, parted
from app.ui.theme import Theme

LONG = "word " * (MOST_SHOWN // 4)


@pytest.fixture
def composer(qapp_theme: Theme) -> Composer:
    qapp_theme.apply("light")
    composer = Composer(qapp_theme)
    composer.resize(560, 200)
    composer.show()
    yield composer
    composer.close()
    composer.deleteLater()


@pytest.mark.parametrize(
    ("text", "pasted", "words"),
    [
        ("short", "", "short"),
        ("a\n\nb", "", "a\n\nb"),
        (LONG, LONG, ""),
        (LONG + "\n\nWhat is it?", LONG, "What is it?"),
        ("Read this:\n\n" + LONG, "Read this:\n\n" + LONG, ""),
    ],
)
def test_a_message_is_parted_where_its_last_paragraph_begins(text, pasted, words):
    assert parted(text) == (pasted, words)
    assert joined([pasted] if pasted else [], words) == text


@pytest.mark.parametrize(
    "text", ["x" * 395_000, "漢字の" * 131_000, "word\n" * 79_000], ids=len
)
def test_a_long_paste_is_a_row_above_the_field(composer, text):
    said: list[str] = []
    composer.text_changed.connect(said.append)
    composer.field.insert_words(text)
    (row,) = composer.pasted.rows
    assert f"{len(text):,} characters" in row.accessibleName()
    assert composer.field.toPlainText() == ""
    assert composer.text == text == said[-1]


def test_words_go_after_what_was_pasted(composer):
    composer.field.insert_words(LONG)
    composer.field.insert_words("What is it?")
    assert composer.text == LONG + "\n\nWhat is it?"
    sent: list[str] = []
    composer.send_requested.connect(sent.append)
    composer.field.submitted.emit()
    assert sent == [composer.text]
    composer.set_text("")
    assert composer.text == ""
    assert composer.pasted.isHidden()


def test_a_draft_comes_back_as_it_stood(composer):
    composer.set_text(LONG + "\n\nWhat is it?")
    assert composer.pasted.texts == (LONG,)
    assert composer.field.toPlainText() == "What is it?"


def test_a_pasted_text_can_be_removed(composer):
    composer.field.insert_words(LONG)
    composer.field.insert_words("Words that stay.")
    said: list[str] = []
    composer.text_changed.connect(said.append)
    (row,) = composer.pasted.rows
    row.findChildren(QToolButton)[0].click()
    assert said == ["Words that stay."]
    assert composer.pasted.isHidden()


def test_more_than_any_context_holds_is_refused(composer):
    composer.field.insert_words("x" * (MOST_CHARACTERS - 10))
    composer.field.insert_words("y" * (MOST_SHOWN + 1))
    assert len(composer.pasted.texts) == 1
    assert "tokens" in composer.notice.text


def test_spaces_alone_are_emptied_too(composer):
    composer.field.setPlainText("  ")
    composer.set_text("")
    assert composer.field.toPlainText() == ""
