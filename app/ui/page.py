"""A page that covers the conversation: a title, a way back, a column that scrolls.

Knows layout and the keyboard. Does not know what stands in the column. All of it is
there only while the page is shown: a change of the look costs time for every widget.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from .palette import COLUMN_WIDTH, XS, L, M, S
from .theme import set_role


class Page(QWidget):
    """Title and "Done" stand still, `column` scrolls; Esc is "Done", too.

    `build` is a page's own: it fills `top` and `column` before they are seen. A page
    keeps its values itself, its widgets go with it.
    """

    closed = Signal()

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self._content: QWidget | None = None
        self._leaving = QTimer(self, singleShot=True, interval=0)
        self._leaving.timeout.connect(self._leave)
        self._place = QVBoxLayout(self)
        self._place.setContentsMargins(0, 0, 0, 0)
        self.setAccessibleName(title)

    @property
    def is_built(self) -> bool:
        """Whether there is anything to bring up to date."""
        return self._content is not None

    def build(self) -> None:
        """Fill the page with what it knows."""
        raise NotImplementedError

    def make(self) -> None:
        """See to it that the page's widgets are there."""
        if self._content is None:
            self._content = QWidget(self)
            self._frame(self._content)
            self._place.addWidget(self._content)
            self.build()

    def showEvent(self, event: QShowEvent) -> None:
        self.make()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        # A window that is made small hides it, too, and shows it as it was.
        if not event.spontaneous():
            self._leaving.start()

    def _leave(self) -> None:
        if self._content is not None and not self.isVisible():
            self._place.removeWidget(self._content)
            self._content.deleteLater()
            self._content = None

    def _frame(self, content: QWidget) -> None:
        heading = QLabel(self._title, self)
        heading.setWordWrap(True)
        set_role(heading, "title")
        self.done_button = QPushButton(self.tr("Done"), self)
        self.done_button.setToolTip(self.tr("Back to the conversation (Esc)"))
        self.done_button.clicked.connect(self.closed)
        self.top = QHBoxLayout()
        self.top.setSpacing(XS)
        self.top.addWidget(heading, 1)
        self.top.addWidget(self.done_button)

        inner = QWidget(self)
        inner.setMaximumWidth(COLUMN_WIDTH)
        self.column = QVBoxLayout(inner)
        self.column.setContentsMargins(0, 0, 0, L)
        self.column.setSpacing(M)
        inside = _Inside(self)
        centred = QHBoxLayout(inside)
        centred.setContentsMargins(L, S, L, 0)
        # The column takes all there is up to its most, then stands in the middle.
        centred.addStretch(0)
        centred.addWidget(inner, 1)
        centred.addStretch(0)
        self.area = QScrollArea(self)
        self.area.setWidget(inside)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)

        whole = QVBoxLayout(content)
        whole.setContentsMargins(0, M, 0, 0)
        whole.setSpacing(S)
        bar = QHBoxLayout()
        holder = QWidget(self)
        holder.setMaximumWidth(COLUMN_WIDTH)
        holder.setLayout(self.top)
        self.top.setContentsMargins(0, 0, 0, 0)
        bar.setContentsMargins(L, 0, L, 0)
        bar.addStretch(0)
        bar.addWidget(holder, 1)
        bar.addStretch(0)
        whole.addLayout(bar)
        whole.addWidget(self.area, 1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
            return
        super().keyPressEvent(event)

    def leave_wheel_to_page(self, field: QWidget) -> None:
        """Scrolling over a field that has no focus scrolls the page."""
        field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        field.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QAbstractSpinBox):
            event.ignore()
            return not watched.hasFocus()
        if event.type() == QEvent.Type.FocusIn and isinstance(watched, QWidget):
            self.area.ensureWidgetVisible(watched)
        return super().eventFilter(watched, event)


class _Inside(QWidget):
    """What is scrolled: always as wide as there is room.

    Rows that are laid out by their width may need more at one width than at the next;
    asked for it, the scroll area would go to and fro between the two without an end.
    """

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())


def headed(words: str, below: QWidget, parent: QWidget) -> QVBoxLayout:
    """A section: its heading, close to what it is the heading of."""
    heading = QLabel(words, parent)
    set_role(heading, "section")
    layout = QVBoxLayout()
    layout.setSpacing(XS)
    layout.addWidget(heading)
    layout.addWidget(below)
    return layout


def card(parent: QWidget) -> tuple[QFrame, QVBoxLayout]:
    """A raised frame with room inside."""
    frame = QFrame(parent)
    set_role(frame, "card")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(M, S, M, S)
    layout.setSpacing(S)
    return frame, layout


def wrapped(
    text: str, role: str | None, parent: QWidget, *, selectable: bool = False
) -> QLabel:
    """A label that breaks its lines; to be selected where somebody may want it."""
    label = QLabel(text, parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if selectable:
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if role is not None:
        set_role(label, role)
    return label
