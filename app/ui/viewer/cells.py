"""Frames or pages as items: captions at once, pictures as they come.

Knows only values; a view asks which of the seen ones are missing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)
from PySide6.QtGui import QImage

from .values import ViewerValue, spoken_cell

Index = QModelIndex | QPersistentModelIndex
PICTURE = Qt.ItemDataRole.UserRole
PROBLEM = Qt.ItemDataRole.UserRole + 1
# True and False are goes and goes not; None where that is no question.
TAKEN = Qt.ItemDataRole.UserRole + 2
# More pictures are not held; a screen has room for fewer.
_KEPT = 150


class Cells(QAbstractListModel):
    """The frames or pages of one `ViewerValue`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._value = ViewerValue("", "document")
        self._captions: tuple[str, ...] = ()
        self._chosen: frozenset[int] | None = None
        self._pictures: OrderedDict[int, QImage] = OrderedDict()
        self._problems: dict[int, str] = {}

    def set_value(self, value: ViewerValue) -> None:
        """Other captions begin anew; otherwise pictures stay."""
        captions = value.captions
        if captions != self._captions:
            self.beginResetModel()
            self._value, self._captions = value, captions
            self._chosen = value.chosen
            self._pictures.clear()
            self._problems.clear()
            self.endResetModel()
        elif value != self._value:
            self._value, self._chosen = value, value.chosen
            last = len(captions) - 1
            self.dataChanged.emit(self.index(0), self.index(max(0, last)))

    def set_picture(self, place: int, picture: QImage) -> None:
        """A frame or page that was drawn."""
        if place < len(self._captions):
            self._pictures[place] = picture
            while len(self._pictures) > _KEPT:
                self._pictures.popitem(last=False)
            self._tell(place)

    def set_problem(self, place: int, problem: str) -> None:
        """One that cannot be drawn, and why."""
        if place < len(self._captions):
            self._problems[place] = problem
            self._tell(place)

    def picture(self, place: int) -> QImage | None:
        """What was drawn of it."""
        return self._pictures.get(place)

    def problem(self, place: int) -> str | None:
        """Why it cannot be drawn."""
        return self._problems.get(place)

    def missing(self, places: Iterable[int]) -> tuple[int, ...]:
        """Those of them that are neither there nor hopeless."""
        for place in places:
            if place in self._pictures:  # seen: the last to go
                self._pictures.move_to_end(place)
        return tuple(
            place
            for place in places
            if place not in self._pictures and place not in self._problems
        )

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._captions)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        place = index.row()
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._captions[place]
            case Qt.ItemDataRole.AccessibleTextRole:
                return spoken_cell(self._value, place)
            case Qt.ItemDataRole.ToolTipRole:
                return self.problem(place)
            case _ if role == PICTURE:
                return self.picture(place)
            case _ if role == PROBLEM:
                return self.problem(place)
            case _ if role == TAKEN:
                return self._taken(place)
        return None

    def _taken(self, place: int) -> bool | None:
        if self._value.kind != "document":
            return None
        if self._chosen is None:
            return True if self._value.editable else None
        return place in self._chosen

    def _tell(self, place: int) -> None:
        self.dataChanged.emit(self.index(place), self.index(place))
