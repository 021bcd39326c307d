"""The sidebar: new chat, search, conversations or what was found, undo, the foot.

It asks for changes and shows what it is given; nothing is renamed or deleted here.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ...conversation import Conversation, Hit
from ...models import EngineState
from ..icons import dress
from ..palette import SIDEBAR_WIDTH, XS, M
from ..theme import Theme, set_role
from .foot import EngineFoot
from .model import VALUE, ConversationListModel, HitListModel
from .search_field import SearchField
from .undo import UndoBar
from .view import ConversationView, RowView

SEARCH_DELAY = 150  # milliseconds


class Sidebar(QFrame):
    """Says which conversation to open, and what to do with one."""

    new_requested = Signal()
    opened = Signal(int)
    hit_opened = Signal(int, object)  # conversation, turn or None
    search_changed = Signal(str)
    rename_requested = Signal(int, str)
    pin_requested = Signal(int, bool)
    delete_requested = Signal(int)
    restore_requested = Signal(int)
    export_requested = Signal(int, str)  # "markdown" or "json"
    models_requested = Signal()
    settings_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setProperty("role", "sidebar")
        self.setAccessibleName(self.tr("Sidebar"))
        self.new = QPushButton(self.tr("New chat"), self)
        set_role(self.new, "soft")
        self.search = SearchField(theme, self)
        self.search.installEventFilter(self)
        self.model = ConversationListModel(self)
        self.list = ConversationView(theme, self)
        self.list.setModel(self.model)
        self.hits = HitListModel(self)
        self.found = RowView(theme, self)
        self.found.setModel(self.hits)
        self.found.setAccessibleName(self.tr("Search results"))
        self.empty = QLabel(self)
        self.empty.setProperty("role", "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.empty.setWordWrap(True)
        self.empty.setContentsMargins(M, M, M, M)
        self.pages = QStackedWidget(self)
        self.pages.setStyleSheet("QStackedWidget { background: transparent; }")
        for page in (self.list, self.found, self.empty):
            self.pages.addWidget(page)
        self.undo = UndoBar(self)
        self.foot = EngineFoot(theme, self)
        self._shows_hits = False
        self._delay = self._timer(SEARCH_DELAY)
        self._midnight = self._timer(0)
        self._lay_out()
        self._connect()
        self._restyle()
        self._show_page()
        self._await_midnight()

    def set_conversations(self, conversations: tuple[Conversation, ...]) -> None:
        """Show these, by date."""
        index, bar = self.list.currentIndex(), self.list.verticalScrollBar()
        row, at = index.data(VALUE) if index.isValid() else None, bar.value()
        self.model.set_conversations(conversations)
        self._show_page()
        if isinstance(row, Conversation) and not self.list.currentIndex().isValid():
            # The order changed: the row is elsewhere, the reader is not.
            self.list.setCurrentIndex(self.model.index_of(row.id))
            bar.setValue(at)

    def set_current(self, conversation: int | None) -> None:
        """Mark the one that is shown, and scroll to it."""
        self.model.set_current(conversation)
        index = self.model.index_of(conversation)
        if index.isValid():
            self.list.setCurrentIndex(index)
            self.list.show_current()

    def set_hits(self, hits: tuple[Hit, ...] | None) -> None:
        """Show what a search found instead of the conversations; None shows those."""
        self._shows_hits = hits is not None
        self.hits.set_hits(hits or ())
        self._show_page()

    def show_undo(self, conversation: Conversation) -> None:
        """Offer a deleted conversation back for ten seconds."""
        self.undo.offer(conversation)

    def set_engine(self, state: EngineState) -> None:
        """Show how the model is doing."""
        self.foot.set_state(state)

    def focus_search(self) -> None:
        """Go to the search field: for the window's shortcut."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """In the search field Down goes to the list, Esc gives up the search."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Down:
                self._enter_list()
                return True
            if event.key() == Qt.Key.Key_Escape and self.search.text():
                self.search.clear()
                return True
        return super().eventFilter(watched, event)

    def _lay_out(self) -> None:
        top = QVBoxLayout()
        top.setContentsMargins(XS, 0, XS, 0)
        top.setSpacing(XS)
        top.addWidget(self.new)
        top.addWidget(self.search)
        below = QVBoxLayout()
        below.setContentsMargins(XS, 0, XS, 0)
        below.addWidget(self.undo)
        line = QFrame(self)
        line.setProperty("role", "line")
        line.setFixedHeight(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, XS + 4, 1, 0)
        column.setSpacing(XS)
        column.addLayout(top)
        column.addWidget(self.pages, 1)
        column.addLayout(below)
        column.addWidget(line)
        column.addWidget(self.foot)

    def _connect(self) -> None:
        self.new.clicked.connect(self.new_requested)
        self.search.textChanged.connect(self._delay.start)
        self.search.returnPressed.connect(self._open_first)
        self._delay.timeout.connect(self._search)
        self._midnight.timeout.connect(self._begin_day)
        self.list.chosen.connect(self._open)
        self.found.chosen.connect(self._open)
        self.list.pin_requested.connect(self.pin_requested)
        self.list.delete_requested.connect(self.delete_requested)
        self.list.export_requested.connect(self.export_requested)
        self.model.renamed.connect(self.rename_requested)
        self.undo.undone.connect(self.restore_requested)
        self.foot.models_requested.connect(self.models_requested)
        self.foot.settings_requested.connect(self.settings_requested)
        self._theme.changed.connect(self._restyle)

    def _open(self, value: Conversation | Hit) -> None:
        if isinstance(value, Hit):
            self.hit_opened.emit(value.conversation, value.turn)
        else:
            self.opened.emit(value.id)

    def _open_first(self) -> None:
        """Enter in the search field: what was typed counts, even if just now."""
        if self._delay.isActive():
            self._delay.stop()
            self._search()
        elif self._shows_hits and self.hits.rowCount():
            self.found.setCurrentIndex(self.hits.index(0))
            self.found.choose(self.hits.index(0))

    def _search(self) -> None:
        self.search_changed.emit(self.search.text().strip())

    def _enter_list(self) -> None:
        shown = self.found if self._shows_hits else self.list
        if not shown.currentIndex().isValid():
            first = 0 if self._shows_hits else 1  # below the first heading
            shown.setCurrentIndex(shown.model().index(first, 0))
        shown.setFocus(Qt.FocusReason.TabFocusReason)

    def _show_page(self) -> None:
        if self._shows_hits and not self.hits.rowCount():
            self.empty.setText(self.tr("Nothing found. Try another word."))
            self.pages.setCurrentWidget(self.empty)
        elif self._shows_hits:
            self.pages.setCurrentWidget(self.found)
        elif not self.model.rowCount():
            self.empty.setText(self.tr("Your conversations appear here."))
            self.pages.setCurrentWidget(self.empty)
        else:
            self.pages.setCurrentWidget(self.list)

    def _timer(self, milliseconds: int) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        return timer

    def _await_midnight(self) -> None:
        now = datetime.now()
        next_day = datetime.combine(now.date() + timedelta(days=1), datetime.min.time())
        # An hour at most: a machine that slept wakes to the right headings soon.
        seconds = min((next_day - now).total_seconds() + 1, 3600)
        self._midnight.start(round(seconds * 1000))

    def _begin_day(self) -> None:
        self.model.set_today(datetime.now().date())
        self._await_midnight()

    def _restyle(self) -> None:
        colors = self._theme.palette
        dress(self.new, "new", colors.accent, self._theme.pixels(18))
        # Not all of a larger font: the conversation needs the room more.
        self.setFixedWidth(round(SIDEBAR_WIDTH * min(self._theme.scale, 1.15)))
