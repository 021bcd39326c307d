"""The list of conversations with its keys, its menu, and renaming in place."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QMenu, QWidget

from ...conversation import Conversation
from ..theme import Theme
from .delegate import RowDelegate
from .model import VALUE


class RowView(QListView):
    """A list in the sidebar: a click or Enter opens a row, hovering shows."""

    chosen = Signal(object)  # Conversation or Hit

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setItemDelegate(RowDelegate(theme, self))
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.clicked.connect(self.choose)
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.show_current()

    def show_current(self) -> None:
        """Scroll to the current row; before it is shown a view has no height."""
        if self.isVisible() and self.currentIndex().isValid():
            self.scrollTo(self.currentIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        enter = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.key() in enter and index.isValid():
            self.choose(index)
        else:
            super().keyPressEvent(event)

    def choose(self, index: QModelIndex) -> None:
        """As if the row were clicked; a heading is not chosen."""
        if index.flags() & Qt.ItemFlag.ItemIsEnabled:
            self.chosen.emit(index.data(VALUE))


class ConversationView(RowView):
    """F2 or a double click renames, Delete deletes, a menu offers the rest."""

    pin_requested = Signal(int, bool)
    delete_requested = Signal(int)
    export_requested = Signal(int, str)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(theme, parent)
        self.setAccessibleName(self.tr("Conversations"))
        self.doubleClicked.connect(self._rename)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        conversation = self.currentIndex().data(VALUE)
        if not isinstance(conversation, Conversation):
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_F2:
            self.edit(self.currentIndex())
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_requested.emit(conversation.id)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        # The right button is the menu's: it must not open the conversation.
        if event.button() == Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if by_key else self.indexAt(event.pos())
        conversation = index.data(VALUE) if index.isValid() else None
        if not isinstance(conversation, Conversation):
            return
        at = self.visualRect(index).center() if by_key else event.pos()
        menu = self.menu_for(conversation, index)
        menu.popup(self.viewport().mapToGlobal(QPoint(at)))

    def menu_for(self, conversation: Conversation, index: QModelIndex) -> QMenu:
        """What can be done with a conversation."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        own, pinned = conversation.id, conversation.pinned
        place = index.model().index(index.row(), 0)
        for text, act in (
            (self.tr("Rename"), lambda: self.edit(place)),
            (
                self.tr("Unpin") if pinned else self.tr("Pin"),
                lambda: self.pin_requested.emit(own, not pinned),
            ),
            ("", None),
            (
                self.tr("Export as Markdown…"),
                lambda: self.export_requested.emit(own, "markdown"),
            ),
            (
                self.tr("Export as JSON…"),
                lambda: self.export_requested.emit(own, "json"),
            ),
            ("", None),
            (self.tr("Delete"), lambda: self.delete_requested.emit(own)),
        ):
            if act is None:
                menu.addSeparator()
            else:
                menu.addAction(text).triggered.connect(act)
        return menu

    def _rename(self, index: QModelIndex) -> None:
        if isinstance(index.data(VALUE), Conversation):
            self.edit(index)
