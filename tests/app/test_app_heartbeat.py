"""The window always listens: the longest gap of a 5 ms timer in what it finds hardest.

The aim is 50 ms. What the window's thread itself computes is held to twice that, for
machines of tests are slow; a gap by the clock to what anybody feels.
"""

from __future__ import annotations

import time

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData
from PySide6.QtWidgets import QToolButton

from tests.app.real_app import Heartbeat, RealApp, running, spin

MOST, MOST_WORK = 0.25, 0.1
_PROSE = (
    "The **total** is 42.10, as the table says:\n\n"
    "| item | price |\n|---|---|\n| bread | 2.10 |\n| cheese | 40.00 |\n\n"
    "```python\ndef total(prices):\n    return sum(prices)\n```\n\n"
    "so that $\\sum_i p_i = 42.10$, which was to be shown. " + "More words. " * 30
)


@pytest.fixture(scope="module")
def live(qapp, qapp_theme, tmp_path_factory):
    folder = tmp_path_factory.mktemp("heartbeat")
    with running(folder, qapp, qapp_theme, theme="light") as app:
        app.ready()
        yield app


@pytest.fixture
def app(live: RealApp):
    live.new()
    live.think(False)
    # What the start left to do is not what is measured.
    pause(0.5)
    return live


def pause(seconds: float) -> None:
    end = time.monotonic() + seconds
    spin(lambda: time.monotonic() > end, "time", seconds + 10)


def check(what: str, heart: Heartbeat) -> None:
    gap, work = heart.longest * 1000, heart.work * 1000
    print(f"\n{what}: longest gap {gap:.0f} ms, longest work {work:.0f} ms")
    assert heart.longest < MOST
    assert heart.work < MOST_WORK


def conversation(app: RealApp, turns: int) -> int:
    """A long one, written as an import would: in one transaction."""
    number = app.store.create_conversation().id
    with app.store._database.writing() as connection:
        parent = None
        for place in range(turns):
            role, text = (
                ("assistant", _PROSE) if place % 2 else ("user", f"Question {place}?")
            )
            row = connection.execute(
                "INSERT INTO turns (conversation, parent, role, state, text, created)"
                " VALUES (?, ?, ?, 'complete', ?, ?)",
                (number, parent, role, text, time.time()),
            ).lastrowid
            if parent is None:
                connection.execute(
                    "UPDATE conversations SET chosen = ? WHERE id = ?", (row, number)
                )
            else:
                connection.execute(
                    "UPDATE turns SET chosen = ? WHERE id = ?", (row, parent)
                )
            parent = row
    app.store.rename(number, "A long one")
    app.talk.listed.emit()
    return number


def test_while_an_answer_streams(app):
    with Heartbeat() as heart:
        app.ask_endlessly()
        pause(1.5)
        app.stop()
    check("an answer streams", heart)


def test_on_opening_a_conversation_of_two_thousand_turns(app):
    number = conversation(app, 2000)
    with Heartbeat() as heart:
        app.sidebar.opened.emit(number)
        pause(1.0)
        spin(lambda: not app.transcript.busy, "building")
    check("2,000 turns are opened", heart)
    assert app.answer_row().body.text == _PROSE


def test_on_a_question_in_a_conversation_of_two_thousand_turns(app):
    number = conversation(app, 2000)
    app.sidebar.opened.emit(number)
    pause(0.5)
    spin(lambda: not app.transcript.busy, "building")
    with Heartbeat() as heart:
        # More than the demo's context holds: its composer would not let it through.
        app.talk.send("Hi")
        pause(0.5)
        app.idle()
    assert "context" in app.turns()[-1].error
    check("asked after 2,000 turns", heart)


def test_on_dropping_fifty_files(app, tmp_path):
    paths = []
    for number in range(50):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (700, 500), (5 * number, 90, 90)).save(paths[-1])
    with Heartbeat() as heart:
        app.drop(*paths)
        app.attached(50, timeout=60)
        spin(
            lambda: all(c.value.thumbnail for c in app.composer.strip.cards),
            "the thumbnails",
            60,
        )
    check("50 files are dropped", heart)
    for item in app.draft.items:
        app.draft.remove(item.key)


def test_on_a_switch_of_the_theme(app):
    number = conversation(app, 200)
    app.sidebar.opened.emit(number)
    pause(0.5)
    spin(lambda: not app.transcript.busy, "building")
    with Heartbeat() as heart:
        app.settings.change(theme="dark")
        pause(0.5)
        spin(lambda: not app.transcript.busy, "dressing")
    check("the theme is switched", heart)
    app.settings.change(theme="light")


def test_on_a_paste_of_ten_megabytes(app):
    mime = QMimeData()
    mime.setText("word " * 2_000_000)
    with Heartbeat() as heart:
        app.paste(mime)
        pause(0.2)
    check("10 MB are pasted", heart)
    assert app.composer.text == ""
    assert "tokens" in app.composer.notice.text
    app.composer.show_notice("")


@pytest.mark.parametrize(
    "text", ["word " * 79_000, "漢字の" * 131_000], ids=["en", "ja"]
)
def test_on_a_paste_that_a_context_may_hold(app, text):
    mime = QMimeData()
    mime.setText(text)
    with Heartbeat() as heart:
        app.paste(mime)
        # The draft is counted and kept meanwhile.
        pause(1.5)
    check("395,000 characters are pasted", heart)
    assert app.composer.text == text
    with Heartbeat() as heart:
        app.write("What is it about?")
        pause(0.5)
    check("words are written beside them", heart)
    app.composer.pasted.rows[0].findChildren(QToolButton)[0].click()
    app.write("")
