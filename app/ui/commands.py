"""What the window is told by keys and, on a Mac, by its menu bar.

One table for both and for the page of shortcuts. Does not know what commands do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu, QMenuBar, QWidget

# What a text field can do itself: its method, the words, the keys it has anyway.
_EDITING = (
    ("undo", "Undo", QKeySequence.StandardKey.Undo),
    ("redo", "Redo", QKeySequence.StandardKey.Redo),
    ("cut", "Cut", QKeySequence.StandardKey.Cut),
    ("copy", "Copy", QKeySequence.StandardKey.Copy),
    ("paste", "Paste", QKeySequence.StandardKey.Paste),
    ("selectAll", "Select All", QKeySequence.StandardKey.SelectAll),
)


@dataclass(frozen=True)
class Command:
    """`menu` is a menu's title, `keys` as Qt writes them, "Ctrl+T" being Cmd+T."""

    menu: str
    words: str
    keys: str
    do: Callable[[], object]
    role: QAction.MenuRole = QAction.MenuRole.NoRole


def add_actions(window: QWidget, commands: Sequence[Command]) -> tuple[QAction, ...]:
    """The commands as actions of the window: their keys work wherever the focus is."""
    return tuple(_action(each, window) for each in commands)


def fill_menu_bar(
    bar: QMenuBar, commands: Sequence[Command], actions: Sequence[QAction]
) -> None:
    """The menus of a Mac: the commands' own, and Edit behind the first of them."""
    menus: dict[str, QMenu] = {}
    for command, action in zip(commands, actions, strict=True):
        if command.menu not in menus:
            menus[command.menu] = bar.addMenu(command.menu)
            if len(menus) == 1:
                _add_editing(bar.addMenu(_tr("Edit")))
        menus[command.menu].addAction(action)


def _action(command: Command, window: QWidget) -> QAction:
    action = QAction(command.words, window)
    action.setShortcut(QKeySequence(command.keys))
    action.setMenuRole(command.role)
    # `triggered` brings whether it is checked, which nobody asked for.
    action.triggered.connect(lambda _=False: command.do())
    window.addAction(action)
    return action


def _add_editing(menu: QMenu) -> None:
    for method, words, keys in _EDITING:
        action = menu.addAction(_tr(words))
        # A field with the focus takes these keys before any menu is asked.
        action.setShortcut(QKeySequence(keys))
        action.triggered.connect(_Edit(method, menu).do)


class _Edit(QObject):
    """Asks whatever has the focus."""

    def __init__(self, method: str, parent: QObject) -> None:
        super().__init__(parent)
        self._method = method

    def do(self) -> None:
        act = getattr(QApplication.focusWidget(), self._method, None)
        if callable(act):
            act()


def _tr(text: str) -> str:
    return QCoreApplication.translate("commands", text)
