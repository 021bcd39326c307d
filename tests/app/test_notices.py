"""A message over the conversation is read whole, offers what helps and goes."""

from __future__ import annotations

import pytest

from app.ui.notices import NoticeBar
from app.ui.palette import COLUMN_WIDTH
from app.ui.theme import Theme


@pytest.fixture
def bar(qapp_theme: Theme) -> NoticeBar:
    qapp_theme.apply("light")
    bar = NoticeBar(qapp_theme)
    bar.resize(1000, 80)
    yield bar
    bar.close()
    bar.deleteLater()


def test_what_is_offered_is_done_once_and_the_message_goes(bar: NoticeBar):
    done: list[str] = []
    bar.say("The model stopped.", "Restart", lambda: done.append("restarted"))
    bar.button.click()
    assert done == ["restarted"]
    assert bar.isHidden()


def test_a_long_path_does_not_make_the_window_wide(bar: NoticeBar):
    path = "/Users/someone/" + "a_folder_with_a_long_name/" * 12
    bar.say(f"Exported: {path}")
    assert bar.text == f"Exported: {path}"
    assert bar.accessibleName() == bar.text
    assert bar.minimumSizeHint().width() < 500


def test_it_is_no_wider_than_the_column(bar: NoticeBar, qapp):
    bar.say("Words. " * 60)
    qapp.processEvents()
    frame = bar.words.parentWidget()
    assert frame is not None
    assert frame.width() == COLUMN_WIDTH
    assert bar.button.isHidden()
