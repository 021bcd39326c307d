"""The window: sidebar, header, transcript, composer, and the pages that cover them.

Knows where everything stands, and the keyboard. What the parts are about is wired up
elsewhere.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QAction, QCloseEvent, QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from .commands import Command, add_actions, fill_menu_bar
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
        commands = self._commands()
        self.shortcuts = ShortcutsPage(self._shortcuts(commands), self)
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
        actions = add_actions(self, commands)
        if sys.platform == "darwin":  # elsewhere a menu bar is one bar too many
            fill_menu_bar(self.menuBar(), commands, actions)

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

    def _commands(self) -> tuple[Command, ...]:
        file, view, window = self.tr("File"), self.tr("View"), self.tr("Window")
        settings, new = QAction.MenuRole.PreferencesRole, self.new_requested.emit
        files, think = self.composer.choose_files, self.composer.toggle_thinking
        sidebar = self.header.sidebar_toggled.emit
        return (
            Command(file, self.tr("New conversation"), "Ctrl+N", new),
            Command(file, self.tr("Add files"), "Ctrl+O", files),
            Command(file, self.tr("Close the window"), "Ctrl+W", self.close),
            Command(view, self.tr("Search"), "Ctrl+F", self._search),
            Command(view, self.tr("Show or hide the sidebar"), "Ctrl+B", sidebar),
            Command(view, self.tr("Thinking on or off"), "Ctrl+T", think),
            Command(view, self.tr("Models"), "Ctrl+Shift+M", self._show_models),
            Command(view, self.tr("Settings"), "Ctrl+,", self._show_settings, settings),
            Command(view, self.tr("These shortcuts"), "Ctrl+/", self._show_shortcuts),
            Command(window, self.tr("Minimise"), "Ctrl+M", self.showMinimized),
        )

    def _shortcuts(self, commands: tuple[Command, ...]) -> tuple[Shortcut, ...]:
        """The commands' keys, and those that only some parts of the window know."""
        writing, listed = self.tr("Writing"), self.tr("In the list of conversations")
        large = self.tr("An attachment, opened large")
        return (
            *(Shortcut(self.tr("Everywhere"), c.words, c.keys) for c in commands),
            Shortcut(writing, self.tr("Send"), "Return"),
            Shortcut(writing, self.tr("New line"), "Shift+Return"),
            Shortcut(writing, self.tr("Stop the answer"), "Esc"),
            Shortcut(writing, self.tr("Edit the last message"), "Up"),
            Shortcut(listed, self.tr("Rename"), "F2"),
            Shortcut(listed, self.tr("Delete"), "Del"),
            Shortcut(large, self.tr("Larger"), "+"),
            Shortcut(large, self.tr("Smaller"), "-"),
            Shortcut(large, self.tr("All of it"), "0"),
            Shortcut(large, self.tr("Its own size"), "1"),
            Shortcut(large, self.tr("Take a page in or out"), "Space"),
        )

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

    def _show_models(self) -> None:
        self.show_page(self.models)

    def _show_settings(self) -> None:
        self.show_page(self.settings)

    def _show_shortcuts(self) -> None:
        self.show_page(self.shortcuts)
