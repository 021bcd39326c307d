import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu, QToolButton

from app.conversation import Conversation, Hit
from app.models import EngineState
from app.ui.sidebar import Sidebar
from app.ui.theme import Theme

Wait = Callable[..., None]
NOW = time.time()
GB = 1024**3
ONE = Conversation(1, "Receipt from Lisbon", NOW)
TWO = Conversation(2, "Shapes", NOW - 86_400 * 3, pinned=True)
THREE = Conversation(3, "", NOW - 1)
LIST = (ONE, TWO, THREE)


@pytest.fixture
def sidebar(qapp: QApplication, qapp_theme: Theme) -> Sidebar:
    sidebar = Sidebar(qapp_theme)
    sidebar.set_conversations(LIST)
    sidebar.resize(260, 600)
    sidebar.show()
    sidebar.activateWindow()
    qapp.processEvents()
    yield sidebar
    sidebar.close()
    sidebar.deleteLater()


def heard(signal: object) -> list:
    found: list = []
    signal.connect(lambda *values: found.append(values))
    return found


def click(sidebar: Sidebar, conversation: int) -> None:
    place = sidebar.list.visualRect(sidebar.model.index_of(conversation))
    QTest.mouseClick(
        sidebar.list.viewport(), Qt.MouseButton.LeftButton, pos=place.center()
    )


def test_a_click_and_enter_open(sidebar: Sidebar) -> None:
    opened = heard(sidebar.opened)
    click(sidebar, 1)
    sidebar.set_current(2)
    QTest.keyClick(sidebar.list, Qt.Key.Key_Return)
    assert opened == [(1,), (2,)]


def test_a_heading_opens_nothing(sidebar: Sidebar) -> None:
    opened = heard(sidebar.opened)
    place = sidebar.list.visualRect(sidebar.model.index(0)).center()
    QTest.mouseClick(sidebar.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert not opened


def test_down_passes_over_headings(sidebar: Sidebar) -> None:
    sidebar.set_current(2)
    QTest.keyClick(sidebar.list, Qt.Key.Key_Down)
    assert sidebar.list.currentIndex() == sidebar.model.index_of(1)


def test_f2_renames_in_place(sidebar: Sidebar, qapp: QApplication) -> None:
    asked = heard(sidebar.rename_requested)
    sidebar.set_current(1)
    QTest.keyClick(sidebar.list, Qt.Key.Key_F2)
    editor = sidebar.list.viewport().findChild(QLineEdit)
    assert editor.text() == "Receipt from Lisbon"
    editor.selectAll()
    QTest.keyClicks(editor, "Dinner")
    # A streamed answer changes the row meanwhile.
    sidebar.set_conversations((replace(ONE, updated=NOW + 5), TWO, THREE))
    assert editor.text() == "Dinner"
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qapp.processEvents()
    assert asked == [(1, "Dinner")]


def test_esc_gives_up_renaming(sidebar: Sidebar, qapp: QApplication) -> None:
    asked = heard(sidebar.rename_requested)
    sidebar.set_current(1)
    QTest.keyClick(sidebar.list, Qt.Key.Key_F2)
    editor = sidebar.list.viewport().findChild(QLineEdit)
    QTest.keyClicks(editor, "x")
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    qapp.processEvents()
    assert not asked


def test_delete_asks_for_deletion(sidebar: Sidebar) -> None:
    asked = heard(sidebar.delete_requested)
    sidebar.set_current(1)
    QTest.keyClick(sidebar.list, Qt.Key.Key_Delete)
    assert asked == [(1,)]


def test_the_menu_offers_everything(sidebar: Sidebar) -> None:
    said = {
        name: heard(getattr(sidebar, name))
        for name in ("pin_requested", "export_requested", "delete_requested")
    }
    menu = sidebar.list.menu_for(TWO, sidebar.model.index_of(2))
    actions = [action for action in menu.actions() if not action.isSeparator()]
    assert [action.text() for action in actions] == [
        "Rename",
        "Unpin",
        "Export as Markdown…",
        "Export as JSON…",
        "Delete",
    ]
    for action in actions[1:]:
        action.trigger()
    assert said["pin_requested"] == [(2, False)]
    assert said["export_requested"] == [(2, "markdown"), (2, "json")]
    assert said["delete_requested"] == [(2,)]
    menu.close()


def test_the_menu_key_opens_it_for_the_current_row(
    sidebar: Sidebar, qapp: QApplication
) -> None:
    sidebar.set_current(1)
    event = QContextMenuEvent(
        QContextMenuEvent.Reason.Keyboard, QPoint(0, 0), QPoint(0, 0)
    )
    QApplication.sendEvent(sidebar.list.viewport(), event)
    (menu,) = [m for m in sidebar.list.findChildren(QMenu) if m.isVisible()]
    assert menu.actions()[1].text() == "Pin"
    menu.close()
    qapp.processEvents()


def test_a_search_waits_until_typing_rests(sidebar: Sidebar, wait_until: Wait) -> None:
    asked = heard(sidebar.search_changed)
    QTest.keyClicks(sidebar.search, "total")
    assert not asked
    wait_until(lambda: asked)
    assert asked == [("total",)]


def test_hits_take_the_lists_place_and_open(
    sidebar: Sidebar, qapp: QApplication
) -> None:
    opened = heard(sidebar.hit_opened)
    sidebar.set_hits(
        (
            Hit(1, "Receipt", NOW, 7, "the total\nis EUR 42.10 " * 9, ((4, 9),)),
            Hit(2, "Total recall", NOW, None, "Total recall", ((0, 5),)),
        )
    )
    assert sidebar.pages.currentWidget() is sidebar.found
    qapp.processEvents()
    for row in (0, 1):
        place = sidebar.found.visualRect(sidebar.hits.index(row)).center()
        QTest.mouseClick(sidebar.found.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert opened == [(1, 7), (2, None)]
    sidebar.set_hits(None)
    assert sidebar.pages.currentWidget() is sidebar.list


def test_enter_in_the_search_opens_the_first_hit(sidebar: Sidebar) -> None:
    opened = heard(sidebar.hit_opened)
    sidebar.set_hits((Hit(2, "Shapes", NOW, 4, "a shape", ()),))
    QTest.keyClick(sidebar.search, Qt.Key.Key_Return)
    assert opened == [(2, 4)]


def test_nothing_found_is_said(sidebar: Sidebar) -> None:
    sidebar.set_hits(())
    assert sidebar.pages.currentWidget() is sidebar.empty
    assert sidebar.empty.text() == "Nothing found. Try another word."


def test_down_in_the_search_goes_to_the_list_and_esc_clears(sidebar: Sidebar) -> None:
    sidebar.search.setText("word")
    QTest.keyClick(sidebar.search, Qt.Key.Key_Escape)
    assert sidebar.search.text() == ""
    QTest.keyClick(sidebar.search, Qt.Key.Key_Down)
    assert sidebar.list.hasFocus()
    assert sidebar.list.currentIndex().isValid()


def test_a_deleted_one_can_be_brought_back(sidebar: Sidebar) -> None:
    restored = heard(sidebar.restore_requested)
    sidebar.show_undo(ONE)
    assert sidebar.undo.isVisible()
    assert sidebar.undo.text == "Deleted “Receipt from Lisbon”"
    sidebar.undo.button.click()
    assert restored == [(1,)]
    assert not sidebar.undo.isVisible()


def test_the_offer_passes_but_not_under_a_finger(
    sidebar: Sidebar, wait_until: Wait
) -> None:
    sidebar.undo.set_seconds(0.05)
    sidebar.show_undo(ONE)
    wait_until(lambda: not sidebar.undo.isVisible())
    sidebar.show_undo(ONE)
    sidebar.undo.button.setFocus()
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.2)
    assert sidebar.undo.isVisible()
    sidebar.search.setFocus()
    wait_until(lambda: not sidebar.undo.isVisible())


@pytest.mark.parametrize(
    ("state", "title", "detail"),
    [
        (EngineState(), "No model loaded", ""),
        (EngineState("loading", "demo", "Demo", done=45, total=100), "Demo", "45%"),
        (
            EngineState("ready", "demo", memory=1.1 * GB, machine_memory=96 * GB),
            "demo",
            "1.1 GB of 96 GB",
        ),
        (EngineState("failed", "demo", problem="Out"), "demo", "The model stopped"),
    ],
)
def test_the_foot_tells_how_the_model_does(
    sidebar: Sidebar, state: EngineState, title: str, detail: str
) -> None:
    sidebar.set_engine(state)
    assert sidebar.foot.title.text() == title
    assert detail in sidebar.foot.detail.text()
    assert title in sidebar.foot.accessibleName()


def test_buttons_say_what_they_are_for(sidebar: Sidebar) -> None:
    for button, signal in (
        (sidebar.new, sidebar.new_requested),
        (sidebar.foot.models, sidebar.models_requested),
        (sidebar.foot.settings, sidebar.settings_requested),
    ):
        said = heard(signal)
        button.click()
        assert len(said) == 1


def test_an_empty_list_says_what_will_be_there(sidebar: Sidebar) -> None:
    sidebar.set_conversations(())
    assert sidebar.pages.currentWidget() is sidebar.empty


def many(count: int) -> tuple[Conversation, ...]:
    return tuple(
        Conversation(i, f"Conversation {i}", NOW - i * 20_000) for i in range(count)
    )


def test_a_new_order_leaves_the_reader_where_they_are(
    sidebar: Sidebar, qapp: QApplication
) -> None:
    conversations = many(200)
    sidebar.set_conversations(conversations)
    qapp.processEvents()
    sidebar.set_current(150)
    qapp.processEvents()
    bar = sidebar.list.verticalScrollBar()
    before = bar.value()
    assert before > 0
    moved = replace(conversations[190], updated=NOW + 1)
    sidebar.set_conversations((moved, *conversations[:190], *conversations[191:]))
    qapp.processEvents()
    assert bar.value() == before
    assert sidebar.list.currentIndex() == sidebar.model.index_of(150)


def test_two_thousand_conversations_stay_quick(
    sidebar: Sidebar, qapp: QApplication
) -> None:
    conversations = many(2000)
    begin = time.process_time()
    sidebar.set_conversations(conversations)
    qapp.processEvents()
    sidebar.set_current(1500)
    qapp.processEvents()
    assert time.process_time() - begin < 0.1


def test_the_search_can_be_emptied_with_the_mouse(sidebar: Sidebar) -> None:
    (button,) = sidebar.search.findChildren(QToolButton)
    assert button.isHidden()
    QTest.keyClicks(sidebar.search, "total")
    assert not button.isHidden()
    button.click()
    assert sidebar.search.text() == ""
    assert button.isHidden()
