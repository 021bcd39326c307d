"""The rows of the sidebar: conversations under headings, and what a search found.

Knows values and their order. Renaming is an intent: the row changes when the list
comes back with the new title.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QCoreApplication,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from ...conversation import Conversation, Hit
from ..words import plain_tip
from .sections import Sections, sorted_by_section

Index = QModelIndex | QPersistentModelIndex
# What a row is: a Conversation, a Hit, or the words of a heading.
VALUE = int(Qt.ItemDataRole.UserRole)
CURRENT = VALUE + 1  # whether it is the conversation shown beside the list


def shown_title(title: str) -> str:
    """A title, or what stands for one before the first question."""
    return title or QCoreApplication.translate("Sidebar", "New chat")


@dataclass(frozen=True)
class Heading:
    """A row that only names the section below it."""

    title: str


class ConversationListModel(QAbstractListModel):
    """Conversations under their headings, the pinned ones first."""

    renamed = Signal(int, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._conversations: tuple[Conversation, ...] = ()
        self._rows: list[Conversation | Heading] = []
        self._places: dict[int, int] = {}
        self._current: int | None = None
        self._today = datetime.now().date()

    def set_conversations(self, conversations: tuple[Conversation, ...]) -> None:
        """Show these; rows that stay where they are keep selection and scrolling."""
        self._conversations = conversations
        rows = self._arranged()
        same = [_place_of(row) for row in rows] == [_place_of(r) for r in self._rows]
        if same:
            changed = [i for i, row in enumerate(rows) if row != self._rows[i]]
            self._rows = rows
            for row in changed:
                self.dataChanged.emit(self.index(row), self.index(row))
            return
        self.beginResetModel()
        self._rows = rows
        self._places = {
            row.id: place
            for place, row in enumerate(rows)
            if isinstance(row, Conversation)
        }
        self.endResetModel()

    def set_current(self, conversation: int | None) -> None:
        """Which conversation is shown beside the list."""
        before, self._current = self._current, conversation
        for one in (before, conversation):
            index = self.index_of(one)
            if index.isValid():
                self.dataChanged.emit(index, index, [CURRENT])

    def set_today(self, today: date) -> None:
        """Another day began: the headings are others."""
        self._today = today
        self.set_conversations(self._conversations)

    def index_of(self, conversation: int | None) -> QModelIndex:
        """Where a conversation stands; invalid when it does not."""
        if conversation is None or conversation not in self._places:
            return QModelIndex()
        return self.index(self._places[conversation])

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == VALUE:
            return row
        heading = isinstance(row, Heading)
        if role == CURRENT:
            return not heading and row.id == self._current
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title if heading else shown_title(row.title)
        if role == Qt.ItemDataRole.EditRole and not heading:
            return row.title
        if role == Qt.ItemDataRole.ToolTipRole and not heading:
            return plain_tip(shown_title(row.title))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return row.title if heading else self._spoken(row)
        return None

    def setData(
        self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole
    ) -> bool:
        row = self._rows[index.row()] if index.isValid() else None
        title = " ".join(str(value).split())
        if role != Qt.ItemDataRole.EditRole or not isinstance(row, Conversation):
            return False
        if title and title != row.title:
            self.renamed.emit(row.id, title)
        return bool(title)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid() or isinstance(self._rows[index.row()], Heading):
            return Qt.ItemFlag.NoItemFlags
        return (
            Qt.ItemFlag.ItemIsEnabled
            | Qt.ItemFlag.ItemIsSelectable
            | Qt.ItemFlag.ItemIsEditable
        )

    def _arranged(self) -> list[Conversation | Heading]:
        sections = Sections(self._today)
        rows: list[Conversation | Heading] = []
        title = None
        for conversation in sorted_by_section(self._conversations):
            if (section := sections.title(conversation)) != title:
                title = section
                rows.append(Heading(section))
            rows.append(conversation)
        return rows

    def _spoken(self, row: Conversation) -> str:
        parts = [shown_title(row.title)]
        if row.pinned:
            parts.append(self.tr("pinned"))
        if row.id == self._current:
            parts.append(self.tr("open"))
        return ", ".join(parts)


class HitListModel(QAbstractListModel):
    """What a search found, in the order it came."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hits: tuple[Hit, ...] = ()

    def set_hits(self, hits: tuple[Hit, ...]) -> None:
        """Show these."""
        self.beginResetModel()
        self._hits = hits
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._hits)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        hit = self._hits[index.row()]
        if role == VALUE:
            return hit
        if role == CURRENT:
            return False
        if role == Qt.ItemDataRole.DisplayRole:
            return shown_title(hit.title)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{shown_title(hit.title)}: {hit.snippet}"
        return None


def _place_of(row: Conversation | Heading) -> int | str:
    return row.title if isinstance(row, Heading) else row.id
