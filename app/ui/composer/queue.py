"""Messages that wait while an answer runs: each can be edited and removed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..icons import dress
from ..palette import XS, XXS
from ..theme import Theme
from ..words import grouped, plain_tip
from .field import MessageField
from .pasted import joined, parted
from .values import WaitingValue


class WaitingRow(QFrame):
    """One message on one line; while it is edited, all of it."""

    edited = Signal(int, str)
    removed = Signal(int)
    held = Signal(int, bool)  # while it is being edited

    def __init__(self, value: WaitingValue, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._value, self._theme = value, theme
        self._field: MessageField | None = None
        self._pasted = ""  # what of it is too long for a field
        self.setProperty("role", "card")
        self._words = QLabel(self)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self._edit = self._button("edit", self.tr("Edit this message"))
        self._edit.clicked.connect(self.edit)
        self._remove = self._button("close", self.tr("Do not send this message"))
        self._remove.clicked.connect(lambda: self.removed.emit(self._value.id))
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(XS, XXS, XXS, XXS)
        self._row.setSpacing(XXS)
        self._row.addWidget(self._words, 1)
        self._row.addWidget(self._edit)
        self._row.addWidget(self._remove)
        self.set_value(value)
        self.restyle()

    @property
    def field(self) -> MessageField | None:
        """The field it is edited in, None while it is not."""
        return self._field

    @property
    def id(self) -> int:
        """The message's own number."""
        return self._value.id

    def set_value(self, value: WaitingValue) -> None:
        """Show the message with other words, unless it is being edited."""
        self._value = value
        self._words.setToolTip(plain_tip(value.text))
        name = self.tr("Waiting message: {text}").format(text=self._said())
        self._words.setAccessibleName(name)
        self._elide()

    def _said(self) -> str:
        """Its words, or what it brings without any."""
        files = self.tr("{count} files without words")
        return self._value.text or files.format(count=self._value.files)

    def edit(self) -> None:
        """Open it for editing: Enter keeps the change, Esc drops it."""
        if self._field is not None:
            return
        field = MessageField(self)
        self._pasted, words = parted(self._value.text)
        field.setPlainText(words)
        field.setAccessibleName(self.tr("Waiting message"))
        field.submitted.connect(self._keep)
        field.long_pasted.connect(self._hold)
        field.cancelled.connect(self._close)
        self._words.hide()
        self._edit.hide()
        self._row.insertWidget(0, field, 1)
        self._field = field
        self._hint()
        self.held.emit(self._value.id, True)
        field.setFocus()
        field.selectAll()

    def restyle(self) -> None:
        """Take on the theme's colours."""
        colors = self._theme.palette
        size = self._theme.pixels(16)
        for button, name in ((self._edit, "edit"), (self._remove, "close")):
            dress(button, name, colors.muted, size)
        self._elide()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.edit()
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _button(self, name: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(name)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button

    def _elide(self) -> None:
        line = " ".join(self._said()[:1000].split())
        metrics = self._words.fontMetrics()
        room = self._words.width()
        shown = metrics.elidedText(line, Qt.TextElideMode.ElideRight, room)
        if shown != self._words.text():
            self._words.setText(shown)

    def _keep(self) -> None:
        if self._field is None:
            return
        pasted = (self._pasted,) if self._pasted else ()
        text = joined(pasted, self._field.toPlainText()).strip()
        if text and text != self._value.text:
            self.edited.emit(self._value.id, text)
        self._close()

    def _hold(self, text: str) -> None:
        """A long text goes before the words, as in the composer."""
        self._pasted = joined((self._pasted,) if self._pasted else (), text)
        self._hint()

    def _hint(self) -> None:
        if self._field is not None and self._pasted:
            after = self.tr("Words after {count} pasted characters")
            count = grouped(len(self._pasted))
            self._field.set_hints(after.format(count=count))

    def _close(self) -> None:
        if self._field is None:
            return
        self._field.hide()
        self._row.removeWidget(self._field)
        self._field.deleteLater()
        self._field = None
        self._words.show()
        self._edit.show()
        self._edit.setFocus()
        self.held.emit(self._value.id, False)


class WaitingList(QWidget):
    """The messages in the order they will be sent, with a line that says so."""

    edited = Signal(int, str)
    removed = Signal(int)
    held = Signal(int, bool)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._rows: list[WaitingRow] = []
        head = QLabel(self.tr("Sent when the model is free"), self)
        head.setProperty("role", "meta")
        self._inner = QWidget(self)
        self._inner.setObjectName("waiting")
        self._inner.installEventFilter(self)
        self._rows_column = QVBoxLayout(self._inner)
        self._rows_column.setContentsMargins(0, 0, 0, 0)
        self._rows_column.setSpacing(XXS)
        self._area = QScrollArea(self)
        self._area.setWidget(self._inner)
        self._area.setWidgetResizable(True)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setStyleSheet(
            "QScrollArea, QWidget#waiting { background: transparent; }"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(XXS)
        column.addWidget(head)
        column.addWidget(self._area)
        theme.changed.connect(self._restyle)
        self.hide()

    @property
    def rows(self) -> tuple[WaitingRow, ...]:
        """The messages from first to last."""
        return tuple(self._rows)

    def set_values(self, values: tuple[WaitingValue, ...]) -> None:
        """Show exactly these; a row stays its message's own."""
        kept = {row.id: row for row in self._rows}
        self._rows = []
        for place, value in enumerate(values):
            row = kept.pop(value.id, None)
            if row is None:
                row = WaitingRow(value, self._theme, self._inner)
                row.edited.connect(self.edited)
                row.removed.connect(self.removed)
                row.held.connect(self.held)
                self._rows_column.insertWidget(place, row)
            else:
                row.set_value(value)
            self._rows.append(row)
        for row in kept.values():
            self._rows_column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._fit()
        self.setVisible(bool(values))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # A row that is edited grows, and the list with it.
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return super().eventFilter(watched, event)

    def _fit(self) -> None:
        """Three rows at most, or the one being edited: more of them scroll."""
        heights = [row.sizeHint().height() for row in self._rows]
        most = max([sum(heights[:3]) + 2 * XXS, *heights])
        wanted = sum(heights) + XXS * max(0, len(heights) - 1)
        self._area.setFixedHeight(min(wanted, most))

    def _restyle(self) -> None:
        for row in self._rows:
            row.restyle()
        self._fit()
