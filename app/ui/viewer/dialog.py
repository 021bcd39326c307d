"""The viewer's window: name, picture or grid, what can be changed, and the way out.

Shows a `ViewerValue` and the picture files it is given; says what it wants and what the
person wants. Asks no worker and changes no draft.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ..announce import announce
from ..background import Background
from ..header import Title
from ..icons import dress
from ..page import wrapped
from ..palette import XXS, M, S
from ..theme import Theme, set_role
from .bars import PlaceBar, ZoomBar
from .fields import Fields
from .stage import Stage
from .values import ViewerValue, facts

_LEAST = QSize(420, 360)
# Narrower than this, at a font scale of 1, the other program's button has no words.
_WORDS = 560


class AttachmentViewer(QDialog):
    """One attachment, large. `edited` is what its fields say, `wanted` what is seen."""

    edited = Signal(str, object)  # "pages", "detail" or "fps", and the new value
    wanted = Signal(object)  # tuple[int, ...], places in sight that are not drawn
    enlarged = Signal(int)  # the place that is wanted large
    elsewhere_requested = Signal()

    def __init__(
        self,
        value: ViewerValue,
        theme: Theme,
        background: Background,
        parent: QWidget | None,
    ) -> None:
        super().__init__(parent)
        self._theme, self._value = theme, value
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(value.name)
        self.setMinimumSize(_LEAST)
        self.name = Title(self)
        set_role(self.name, "heading")
        self.facts = wrapped("", "muted", self)
        self.place_bar = PlaceBar(theme, self)
        self.stage = Stage(value, theme, background, self)
        self.zoom_bar = ZoomBar(theme, self.stage.canvas, self)
        self.fields = Fields(value.kind, self) if value.editable else None
        self.elsewhere = QPushButton(self)
        self.done_button = QPushButton(self.tr("Done"), self)
        self.done_button.setToolTip(self.tr("Back to the conversation (Esc)"))
        self._lay_out()
        self._connect()
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)  # Enter in a field presses none of them
        self._restyle()
        self.set_value(value)
        (self.stage.canvas if value.kind == "image" else self.stage.grid).setFocus()

    def set_value(self, value: ViewerValue) -> None:
        """Show more, or something else, of the same attachment."""
        before, self._value = self._value, value
        self.name.set_words(value.name)
        words = facts(value)
        self.facts.setText(words)
        self.facts.setVisible(bool(words))
        if self.fields is not None:
            self.fields.set_value(value)
        self.stage.set_value(value)
        if before.counting and not value.counting and self.isVisible():
            announce(self.facts, words)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves what was enlarged first, then the viewer."""
        alone = self.stage.place is not None
        if alone and event.matches(QKeySequence.StandardKey.Cancel):
            self.stage.show_all()
        elif event.matches(QKeySequence.StandardKey.Close):
            self.close()
        else:
            super().keyPressEvent(event)

    def done(self, result: int) -> None:
        if self.fields is not None:
            self.fields.tell()
        self.stage.shut_down()
        super().done(result)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._restyle()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(M, M, M, M)
        column.setSpacing(S)
        head = QVBoxLayout()
        head.setSpacing(XXS)
        head.addWidget(self.name)
        head.addWidget(self.facts)
        column.addLayout(head)
        column.addWidget(self.place_bar)
        column.addWidget(self.stage, 1)
        if self.fields is not None:
            column.addWidget(self.fields)
        foot = QHBoxLayout()
        foot.setSpacing(S)
        foot.addWidget(self.elsewhere)
        foot.addStretch(1)
        foot.addWidget(self.zoom_bar)
        foot.addSpacing(S)
        foot.addWidget(self.done_button)
        column.addLayout(foot)

    def _connect(self) -> None:
        self.place_bar.back.connect(self.stage.show_all)
        self.place_bar.stepped.connect(self.stage.step)
        self.stage.changed.connect(self._show_bars)
        self.stage.enlarged.connect(self.enlarged)
        self.stage.grid.toggled.connect(self._toggle)
        self.stage.grid.wanted.connect(self.wanted)
        self.elsewhere.clicked.connect(self.elsewhere_requested)
        self.done_button.clicked.connect(self.accept)
        if self.fields is not None:
            self.fields.edited.connect(self.edited)
        self._theme.changed.connect(self._restyle)

    def _show_bars(self) -> None:
        place = self.stage.place
        self.zoom_bar.setVisible(self.stage.currentWidget() is self.stage.canvas)
        self.place_bar.setVisible(place is not None)
        if place is not None:
            self.place_bar.set_place(self._value, place)

    def _toggle(self, place: int) -> None:
        """Take one page in or out; the last one stays."""
        value = self._value
        page = value.numbers[place]
        taken = set(value.numbers if value.pages is None else value.pages) ^ {page}
        if taken:
            whole = len(taken) == len(value.numbers)
            self.edited.emit("pages", None if whole else tuple(sorted(taken)))
        elif self.fields is not None and self.fields.pages is not None:
            self.fields.pages.say(self.tr("One page at least has to go."))

    def _restyle(self) -> None:
        words, theme = self.tr("Open in another program"), self._theme
        narrow = self.width() < theme.pixels(_WORDS)
        self.elsewhere.setText("" if narrow else words)
        dress(self.elsewhere, "export", theme.palette.text, theme.pixels(18))
        self.elsewhere.setToolTip(words)
        self.elsewhere.setAccessibleName(words)
