"""The menu of a message: what is marked in it, all of it, and what its buttons do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QCoreApplication, QPoint, Qt
from PySide6.QtWidgets import QMenu, QPlainTextEdit, QTextBrowser, QWidget

from ...conversation import Turn
from .shared import Wishes


def message_menu(turn: Turn, wishes: Wishes, row: QWidget, at: QPoint) -> QMenu:
    """For a right click at a place of the message's widget."""
    menu = QMenu(row)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    marked, link = _marked(row), _link(row, at)
    if marked is not None:
        _add(menu, _tr("Copy"), marked.copy)
    if link:
        _add(menu, _tr("Copy link"), partial(wishes.copy.emit, link))
    _add(menu, _tr("Copy message"), partial(wishes.copy.emit, turn.text))
    if turn.state == "streaming":
        return menu
    menu.addSeparator()
    if turn.role == "assistant":
        _add(menu, _tr("Ask again"), partial(wishes.regenerate.emit, turn.id))
    else:
        _add(menu, _tr("Edit and resend"), partial(wishes.edit.emit, turn.id))
    menu.addSeparator()
    _add(menu, _tr("Delete"), partial(wishes.delete.emit, turn.id))
    return menu


def _add(menu: QMenu, words: str, act: Callable[[], object]) -> None:
    # `triggered` brings whether it is checked, which nobody asked for.
    menu.addAction(words).triggered.connect(lambda _=False: act())


def _marked(row: QWidget) -> QTextBrowser | QPlainTextEdit | None:
    """The part in which something is selected: one at a time can have that."""
    pages = (*row.findChildren(QTextBrowser), *row.findChildren(QPlainTextEdit))
    return next((page for page in pages if page.textCursor().hasSelection()), None)


def _link(row: QWidget, at: QPoint) -> str:
    below = row.childAt(at)
    page = below.parentWidget() if below is not None else None
    if below is None or not isinstance(page, QTextBrowser):
        return ""
    address = page.anchorAt(below.mapFrom(row, at))
    return "" if address.startswith("box:") else address


def _tr(text: str) -> str:
    return QCoreApplication.translate("Actions", text)
