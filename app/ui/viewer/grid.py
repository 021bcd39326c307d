"""Frames or pages in lines that break; only what is seen is asked for."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QWidget

from ..palette import SCROLL_BAR, XS
from ..theme import Theme
from .cell import BOXES, CellDelegate
from .cells import TAKEN, Cells
from .values import ViewerValue

# Scrolling past is no reason to draw a page.
_REST_MS = 40


class Grid(QListView):
    """A click or Enter enlarges one; Space or its mark takes a page in or out."""

    opened = Signal(int)
    toggled = Signal(int)
    wanted = Signal(object)  # tuple[int, ...], places that are seen and not drawn

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._editable = False
        self.cells = Cells(self)
        self._delegate = CellDelegate(theme, self)
        self._resting = QTimer(self, singleShot=True, interval=_REST_MS)
        self._resting.timeout.connect(self._ask)
        self.setModel(self.cells)
        self.setItemDelegate(self._delegate)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.cells.modelReset.connect(self._resting.start)
        theme.changed.connect(self._arrange)

    def set_value(self, value: ViewerValue) -> None:
        """Show the frames or pages of another value, or the same with other marks."""
        self._editable = value.editable and value.kind == "document"
        box = BOXES["video" if value.kind == "video" else "document"]
        if box != self._delegate.box:
            self._delegate.box = box
            self._arrange()
        video = value.kind == "video"
        self.setAccessibleName(self.tr("Frames") if video else self.tr("Pages"))
        self.setAccessibleDescription(
            self.tr("Enter enlarges, Space takes a page in or out")
            if self._editable
            else self.tr("Enter enlarges")
        )
        place = self.currentIndex().row()
        self.cells.set_value(value)
        if not self.currentIndex().isValid() and self.cells.rowCount():
            self.set_place(min(max(place, 0), self.cells.rowCount() - 1))

    @property
    def room(self) -> QSize:
        """Pixels of the screen for one picture."""
        return self._delegate.box * self.devicePixelRatioF()

    @property
    def place(self) -> int:
        """The current frame or page, -1 for none."""
        return self.currentIndex().row()

    def set_place(self, place: int) -> None:
        """Make one the current one and scroll to it."""
        self.setCurrentIndex(self.cells.index(place))

    def seen(self) -> tuple[int, ...]:
        """The places in sight, from the grid's arithmetic: fast for any count."""
        size, room = self.gridSize(), self.viewport().size()
        if size.isEmpty() or not self.isVisible():
            return ()
        columns = max(1, self._room() // size.width())
        top = self.verticalScrollBar().value()
        first = top // size.height() * columns
        last = ((top + room.height()) // size.height() + 1) * columns
        return tuple(range(first, min(last, self.cells.rowCount())))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()
        super().resizeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._resting.start()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        place = self.place
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and place >= 0:
            self.opened.emit(place)
        elif event.key() == Qt.Key.Key_Space and place >= 0:
            if self._editable:
                self.toggled.emit(place)
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        at = event.position().toPoint()
        index = self.indexAt(at)
        if event.button() != Qt.MouseButton.LeftButton or not index.isValid():
            return
        mark = self._delegate.mark(self.visualRect(index))
        if self._editable and index.data(TAKEN) is not None and mark.contains(at):
            self.toggled.emit(index.row())
        else:
            self.opened.emit(index.row())

    def _scrolled(self) -> None:
        # Not the timer's own slot, which would take the place for its time.
        self._resting.start()

    def _ask(self) -> None:
        missing = self.cells.missing(self.seen())
        if missing:
            self.wanted.emit(missing)

    def _arrange(self) -> None:
        """As many columns as there is room for, which share it."""
        least = self._delegate.size + QSize(XS, XS)
        room = self._room()
        columns = max(1, room // least.width())
        across = max(least.width(), room // columns)
        size = QSize(min(across, max(1, room)), least.height())
        if size != self.gridSize():
            self.setGridSize(size)
        self._resting.start()

    def _room(self) -> int:
        """The width for cells, the same with a scroll bar and without."""
        return self.width() - SCROLL_BAR - 2
