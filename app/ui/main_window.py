"""The window: sidebar, header, transcript, composer, and the pages that cover them.

Knows where everything stands, and the keyboard. What the parts are about is wired up
elsewhere.
"""

from __future__ import annotations

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from .composer import Composer, DropTarget
from .empty import EmptyConversation, Example
from .header import Header
from .models_page import ModelsPage
from .notices import NoticeBar
from .page import Page
from .palette import XS, L, M
from .settings_page import SettingsPage
from .shortcuts_page import Shortcut, ShortcutsPage
from .sidebar import Sidebar
from .theme import Theme
from .transcript import TranscriptView
from .transcript.shared import Pictures

NAME = "GLM-4.5V Chat"


class MainWindow(QMainWindow):
    """All widgets, by name; `closing` is said before the window goes."""

    closing = Signal()
    new_requested = Signal()

    def __init__(
        self, theme: Theme, pictures: Pictures, examples: tuple[Example, ...]
    ) -> None:
        super().__init__()
        self.setWindowTitle(NAME)
        self.setMinimumSize(560, 420)
        self.resize(1180, 780)
        self.sidebar = Sidebar(theme, self)
        self.header = Header(theme, self)
        self.transcript = TranscriptView(theme, pictures, self)
        self.empty = EmptyConversation(theme, examples, self)
        self.transcript.set_empty(self.empty)
        self.empty.chosen.connect(self.show_chat)
        self.notices = NoticeBar(theme, self)
        self.composer = Composer(theme, self)
        self.models = ModelsPage(self)
        self.settings = SettingsPage(self)
        self.shortcuts = ShortcutsPage(self._shortcuts(), self)
        self.pages = QStackedWidget(self)
        self.pages.addWidget(self._chat())
        for page in (self.models, self.settings, self.shortcuts):
            self.pages.addWidget(page)
            page.closed.connect(self.show_chat)
        centre = QWidget(self)
        row = QHBoxLayout(centre)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.sidebar)
        beside = QVBoxLayout()
        beside.setSpacing(0)
        beside.addWidget(self.notices)
        beside.addWidget(self.pages, 1)
        row.addLayout(beside, 1)
        self.setCentralWidget(centre)
        self.drops = DropTarget(theme, self)
        self.settings.shortcuts_requested.connect(self._show_shortcuts)
        self._add_shortcuts()

    def show_chat(self) -> None:
        """Back to the conversation, ready to write."""
        self.pages.setCurrentIndex(0)
        self.composer.setFocus()

    def show_page(self, page: QWidget) -> None:
        """One of the pages over the conversation."""
        if isinstance(page, Page):
            page.make()
        self.pages.setCurrentWidget(page)
        page.setFocus()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.closing.emit()
        super().closeEvent(event)

    def restore(self, geometry: QByteArray | None) -> None:
        """Stand where it stood."""
        if geometry:
            self.restoreGeometry(geometry)

    def _chat(self) -> QWidget:
        chat = QWidget(self)
        column = QVBoxLayout(chat)
        column.setContentsMargins(0, 0, 0, M)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.transcript, 1)
        # What is scrolled away ends above the composer, not under its edge.
        column.addSpacing(XS)
        foot = QHBoxLayout()
        foot.setContentsMargins(L, 0, L, 0)
        foot.addStretch(0)
        foot.addWidget(self.composer, 1)
        foot.addStretch(0)
        column.addLayout(foot)
        return chat

    def _shortcuts(self) -> tuple[Shortcut, ...]:
        chat, writing = self.tr("Conversations"), self.tr("Writing")
        return (
            Shortcut(chat, self.tr("New conversation"), "Ctrl+N"),
            Shortcut(chat, self.tr("Search"), "Ctrl+F"),
            Shortcut(chat, self.tr("Show or hide the sidebar"), "Ctrl+B"),
            Shortcut(chat, self.tr("Models"), "Ctrl+Shift+M"),
            Shortcut(chat, self.tr("Settings"), "Ctrl+,"),
            Shortcut(chat, self.tr("These shortcuts"), "Ctrl+/"),
            Shortcut(writing, self.tr("Send"), "Return"),
            Shortcut(writing, self.tr("New line"), "Shift+Return"),
            Shortcut(writing, self.tr("Stop the answer"), "Esc"),
            Shortcut(writing, self.tr("Thinking on or off"), "Ctrl+T"),
            Shortcut(writing, self.tr("Edit the last message"), "Up"),
            Shortcut(writing, self.tr("Add files"), "Ctrl+O"),
        )

    def _add_shortcuts(self) -> None:
        for keys, do in (
            ("Ctrl+N", self.new_requested.emit),
            ("Ctrl+F", self._search),
            ("Ctrl+B", self.header.sidebar_toggled.emit),
            ("Ctrl+Shift+M", lambda: self.show_page(self.models)),
            ("Ctrl+,", lambda: self.show_page(self.settings)),
            ("Ctrl+/", self._show_shortcuts),
            ("Ctrl+T", self.composer.toggle_thinking),
            ("Ctrl+O", self.composer.choose_files),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(do)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc stops the answer wherever the focus is, unless something took it."""
        if event.key() == Qt.Key.Key_Escape:
            self.composer.field.cancelled.emit()
        else:
            super().keyPressEvent(event)

    def _search(self) -> None:
        if not self.sidebar.isVisible():
            self.header.sidebar_toggled.emit()
        self.sidebar.focus_search()

    def _show_shortcuts(self) -> None:
        self.show_page(self.shortcuts)
