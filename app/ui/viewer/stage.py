"""The middle of the viewer: a picture, a grid, or words why there is none yet.

Owns which frame or page is enlarged. Knows picture files, not who draws them.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QImageReader
from PySide6.QtWidgets import QLabel, QStackedWidget, QWidget

from ..background import Background
from ..palette import M
from ..theme import Theme, set_role
from .canvas import Canvas
from .grid import Grid
from .values import ViewerValue, spoken_cell


class Stage(QStackedWidget):
    """`enlarged` wants one place large, `changed` says that another part is shown."""

    changed = Signal()
    enlarged = Signal(int)

    def __init__(
        self,
        value: ViewerValue,
        theme: Theme,
        background: Background,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._value, self._background = value, background
        self._place: int | None = None
        self.message = QLabel(self)
        self.message.setWordWrap(True)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setMargin(M)
        self.canvas = Canvas(theme, background, self)
        self.grid = Grid(theme, self)
        for page in (self.message, self.canvas, self.grid):
            self.addWidget(page)
        self.canvas.stepped.connect(self.step)
        self.grid.opened.connect(self.enlarge)

    @property
    def place(self) -> int | None:
        """The frame or page that is enlarged."""
        return self._place

    def set_value(self, value: ViewerValue) -> None:
        """Show more, or something else, of the same attachment."""
        before, self._value = self._value, value
        if value.kind == "image":
            if self.canvas.is_empty:
                self.canvas.clear(self._own())
        else:
            self.grid.set_value(value)
            if before.captions != value.captions:
                self._place = None
        self._show()

    def set_thumbnail(self, place: int, path: Path) -> None:
        """A frame or page was drawn small, into this file."""
        then = partial(self._keep, self._value.captions, place)
        self._background.run(partial(_read, path, self.grid.room), then)

    def set_large(self, place: int, path: Path) -> None:
        """The same, large; a picture's place is 0."""
        if self._value.kind == "image" or place == self._place:
            self.canvas.show_file(path, self._own())

    def set_problem(self, place: int, problem: str) -> None:
        """A frame or page cannot be drawn."""
        self.grid.cells.set_problem(place, problem)
        self._show()

    def enlarge(self, place: int) -> None:
        """One frame or page alone."""
        if not 0 <= place < len(self._value.captions):
            return
        self._place = place
        self.grid.set_place(place)
        self.canvas.clear()
        small = self.grid.cells.picture(place)
        if small is not None:
            self.canvas.show_image(small, self._own())
        self._show()
        self.canvas.setFocus()
        self.enlarged.emit(place)

    def step(self, step: int) -> None:
        """The frame or page before (-1) or after (1)."""
        if self._place is not None:
            self.enlarge(self._place + step)

    def show_all(self) -> None:
        """Back to the grid."""
        self._place = None
        self.canvas.clear()
        self._show()
        self.grid.setFocus()

    def shut_down(self) -> None:
        """What is being read comes to nothing."""
        self.canvas.clear()
        self._value = ViewerValue("", self._value.kind)

    def _show(self) -> None:
        value, place = self._value, self._place
        problem = value.problem
        if problem is None and place is not None and self.canvas.is_empty:
            problem = self.grid.cells.problem(place)
        set_role(self.message, "danger" if problem else "muted")
        page: QWidget = self.message
        if problem:
            self.message.setText(problem)
        elif value.kind == "image" or place is not None:
            page = self.canvas
            spoken = value.name if place is None else spoken_cell(value, place)
            self.canvas.setAccessibleName(spoken)
        elif value.captions:
            page = self.grid
        else:
            self.message.setText(self.tr("Reading…"))
        self.setCurrentWidget(page)
        self.changed.emit()

    def _keep(self, captions: tuple[str, ...], place: int, picture: object) -> None:
        if isinstance(picture, QImage) and captions == self._value.captions:
            self.grid.cells.set_picture(place, picture)
            if place == self._place and self.canvas.is_empty:
                self.canvas.show_image(picture, self._own())

    def _own(self) -> QSize | None:
        """The picture's own size, where all of them have the same."""
        size = self._value.size
        return None if size is None or self._value.kind == "document" else QSize(*size)


def _read(path: Path, room: QSize) -> QImage:
    """The picture as large as its cell, so that a grid paints without scaling."""
    picture = QImageReader(str(path)).read()
    if picture.width() <= room.width() and picture.height() <= room.height():
        return picture
    smooth = Qt.TransformationMode.SmoothTransformation
    return picture.scaled(room, Qt.AspectRatioMode.KeepAspectRatio, smooth)
