"""Commands work by key, and stand in a menu bar where a system has one."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QMenuBar, QVBoxLayout, QWidget

from app.ui.commands import Command, add_actions, fill_menu_bar


@pytest.fixture
def window(qapp) -> QWidget:
    window = QWidget()
    QVBoxLayout(window).addWidget(QLineEdit("some words", window))
    window.show()
    window.activateWindow()
    qapp.processEvents()
    yield window
    window.close()
    window.deleteLater()


def test_a_key_does_it_wherever_the_focus_is(window):
    done: list[str] = []
    command = Command("File", "New", "Ctrl+N", lambda: done.append("new"))
    add_actions(window, [command])
    field = window.findChild(QLineEdit)
    field.setFocus()
    QTest.keyClick(field, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert done == ["new"]


def test_menus_stand_in_the_order_of_their_first_command(window):
    done: list[str] = []
    commands = [
        Command("File", "New", "Ctrl+N", lambda: done.append("new")),
        Command("View", "Search", "Ctrl+F", lambda: done.append("search")),
        Command("File", "Add", "Ctrl+O", lambda: done.append("add")),
    ]
    bar = QMenuBar(window)
    bar.setNativeMenuBar(False)
    fill_menu_bar(bar, commands, add_actions(window, commands))
    menus = [action.menu() for action in bar.actions()]
    assert [menu.title() for menu in menus] == ["File", "Edit", "View"]
    assert [action.text() for action in menus[0].actions()] == ["New", "Add"]
    menus[2].actions()[0].trigger()
    assert done == ["search"]


def test_editing_goes_to_the_field_with_the_focus(window):
    bar = QMenuBar(window)
    bar.setNativeMenuBar(False)
    commands = [Command("File", "New", "Ctrl+N", lambda: None)]
    fill_menu_bar(bar, commands, add_actions(window, commands))
    edit = bar.actions()[1].menu()
    field = window.findChild(QLineEdit)
    field.setFocus()
    next(each for each in edit.actions() if each.text() == "Select All").trigger()
    assert field.selectedText() == "some words"
    next(each for each in edit.actions() if each.text() == "Cut").trigger()
    assert field.text() == ""
    next(each for each in edit.actions() if each.text() == "Undo").trigger()
    assert field.text() == "some words"
