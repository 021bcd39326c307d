from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from PySide6.QtCore import QLocale, Qt

from app.conversation import Conversation, Hit
from app.ui.sidebar import ConversationListModel
from app.ui.sidebar.model import CURRENT, VALUE, Heading, HitListModel
from app.ui.sidebar.sections import Sections

TODAY = date(2026, 3, 18)


def at(days: int, *, hour: int = 12) -> float:
    moment = datetime.combine(TODAY, datetime.min.time()) - timedelta(days=days)
    return (moment + timedelta(hours=hour)).timestamp()


@pytest.mark.parametrize(
    ("updated", "title"),
    [
        (at(-1), "Today"),
        (at(0, hour=0), "Today"),
        (at(1, hour=23), "Yesterday"),
        (at(2), "Previous 7 days"),
        (at(7), "Previous 7 days"),
        (at(8), "Previous 30 days"),
        (at(30), "Previous 30 days"),
        (at(31), "February"),
        (at(76), "January"),
        (at(77), "December 2025"),
    ],
)
def test_a_conversation_stands_under_its_day(updated: float, title: str) -> None:
    sections = Sections(TODAY, QLocale(QLocale.Language.English))
    assert sections.title(Conversation(1, "x", updated)) == title


def test_months_are_named_in_the_persons_language() -> None:
    sections = Sections(TODAY, QLocale(QLocale.Language.French))
    assert sections.title(Conversation(1, "x", at(40))) == "Février"


def test_a_pinned_one_stands_first_whatever_its_day() -> None:
    model = ConversationListModel()
    model.set_today(TODAY)
    model.set_conversations(
        (
            Conversation(1, "new", at(0)),
            Conversation(2, "old", at(300), pinned=True),
            Conversation(3, "newer", at(0, hour=13)),
        )
    )
    assert words(model) == ["Pinned", "old", "Today", "newer", "new"]


def words(model: ConversationListModel) -> list[str]:
    return [model.index(row).data() for row in range(model.rowCount())]


@pytest.fixture
def model() -> ConversationListModel:
    model = ConversationListModel()
    model.set_today(TODAY)
    model.set_conversations(
        (Conversation(1, "one", at(0)), Conversation(2, "", at(1), pinned=False))
    )
    return model


def test_a_heading_is_passed_over(model: ConversationListModel) -> None:
    assert isinstance(model.index(0).data(VALUE), Heading)
    assert model.flags(model.index(0)) == Qt.ItemFlag.NoItemFlags
    assert model.flags(model.index(1)) & Qt.ItemFlag.ItemIsEditable


def test_one_without_a_title_is_a_new_chat(model: ConversationListModel) -> None:
    index = model.index_of(2)
    assert index.data() == "New chat"
    assert index.data(Qt.ItemDataRole.EditRole) == ""


def test_another_title_changes_one_row_only(model: ConversationListModel) -> None:
    changed, reset = [], []
    model.dataChanged.connect(lambda *where: changed.append(where[0].row()))
    model.modelReset.connect(lambda: reset.append(True))
    model.set_conversations(
        (Conversation(1, "other", at(0)), Conversation(2, "", at(1)))
    )
    assert changed == [1]
    assert not reset
    assert model.index(1).data() == "other"


def test_a_newer_message_brings_it_to_the_top(model: ConversationListModel) -> None:
    second = model.index_of(2).data(VALUE)
    first = model.index_of(1).data(VALUE)
    model.set_conversations((first, replace(second, updated=at(0, hour=20))))
    assert words(model) == ["Today", "New chat", "one"]
    assert model.index_of(2).row() == 1


def test_the_open_one_is_marked(model: ConversationListModel) -> None:
    model.set_current(2)
    assert model.index_of(2).data(CURRENT)
    assert not model.index_of(1).data(CURRENT)
    spoken = model.index_of(2).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "New chat, open"
    model.set_current(None)
    assert not model.index_of(2).data(CURRENT)


def test_renaming_is_asked_for_and_not_done(model: ConversationListModel) -> None:
    asked = []
    model.renamed.connect(lambda *values: asked.append(values))
    index = model.index_of(1)
    assert model.setData(index, "  two \n words ")
    assert not model.setData(index, "   ")
    model.setData(index, "one")
    assert asked == [(1, "two words")]
    assert index.data() == "one"


def test_another_day_brings_other_headings(model: ConversationListModel) -> None:
    model.set_today(TODAY + timedelta(days=1))
    assert words(model) == ["Yesterday", "one", "Previous 7 days", "New chat"]


def test_a_hit_is_read_out_with_its_words() -> None:
    model = HitListModel()
    model.set_hits((Hit(1, "Receipt", at(0), 3, "the total is"),))
    spoken = model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "Receipt: the total is"
