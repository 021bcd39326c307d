"""What can be changed about one attachment: its pages, its detail, frames a second."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from ..announce import announce
from ..page import wrapped
from ..palette import M
from ..settings_fields import ChoiceField, Field
from ..theme import set_role
from ..words import shortest
from .ranges import pages_text, parse_pages
from .values import ViewerValue

_TYPING_PAUSE = 600
_RATES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


class PagesField(Field):
    """A range of pages; what is no range is said below and changes nothing."""

    def __init__(self, parent: QWidget) -> None:
        label = parent.tr("Pages that go to the model")
        super().__init__("pages", label, "", parent)
        self._count = 0
        self._pages: tuple[int, ...] | None = None
        self.edit = QLineEdit(self)
        self._rest = QTimer(self, singleShot=True, interval=_TYPING_PAUSE)
        self._rest.timeout.connect(self.tell)
        self.edit.textEdited.connect(self._typing)
        self.edit.editingFinished.connect(self.tell)
        self.finish(self.edit)
        self.below = wrapped("", "meta", self)
        self.body.addWidget(self.below)
        self.say("")

    def focus_widgets(self) -> tuple[QWidget, ...]:
        return (self.edit,)

    def set_count(self, count: int) -> None:
        """How many pages there are."""
        self._count = count
        self.edit.setPlaceholderText(
            self.tr("All of them") if count != 1 else self.tr("The only one")
        )

    def show_value(self, value: Any) -> None:
        self._pages = value
        if self._rest.isActive() or self._typed() == (value,):
            return  # the cursor stays where a person is writing
        self.edit.setText(pages_text(value))
        self.say("")

    def _typing(self) -> None:
        self._rest.start()

    def tell(self) -> None:
        """Say what was typed, unless nothing is new."""
        self._rest.stop()
        try:
            pages = parse_pages(self.edit.text(), self._count)
        except ValueError as error:
            self.say(str(error))
            return
        self.say("")
        if pages != self._pages:
            self._pages = pages
            self.edited.emit(self.name, pages)

    def say(self, problem: str) -> None:
        """What is wrong; the usual hint where nothing is."""
        hint = self.tr("Such as 1-3, 7. Empty: all pages.")
        if problem and problem != self.below.text():
            announce(self.edit, problem)
        self.below.setText(problem or hint)
        set_role(self.below, "problem" if problem else "meta")
        self.edit.setAccessibleDescription(problem or hint)

    def _typed(self) -> tuple[tuple[int, ...] | None] | None:
        """What stands in the field, in a tuple of one; None for nonsense."""
        try:
            return (parse_pages(self.edit.text(), self._count),)
        except ValueError:
            return None


class Fields(QWidget):
    """The fields that an attachment's kind has; `edited` as a field says it."""

    edited = Signal(str, object)  # "pages", "detail" or "fps", and the new value

    def __init__(self, kind: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.pages: PagesField | None = None
        self.fps: ChoiceField | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(M)
        if kind == "document":
            self.pages = PagesField(self)
        if kind == "video":
            words = [(None, self.tr("Automatic"))]
            rates = [(rate, shortest(rate)) for rate in _RATES]
            label = self.tr("Frames a second")
            self.fps = ChoiceField("fps", label, [*words, *rates], "", self)
        details = (
            ("low", self.tr("Low: fewer tokens")),
            ("normal", self.tr("Normal")),
            ("high", self.tr("High: small print")),
        )
        self.detail = ChoiceField("detail", self.tr("Detail"), details, "", self)
        for field, stretch in ((self.pages, 3), (self.detail, 2), (self.fps, 2)):
            if field is not None:
                field.body.addStretch(1)
                field.edited.connect(self.edited)
                row.addWidget(field, stretch)
        row.addStretch(0 if self.pages is not None else 2)

    def set_value(self, value: ViewerValue) -> None:
        """Show what is in force; says nothing."""
        if self.pages is not None:
            self.pages.set_count(len(value.numbers))
            self.pages.setEnabled(bool(value.numbers))
            self.pages.show_value(value.pages)
        if self.fps is not None:
            self.fps.show_value(value.fps)
        self.detail.show_value(value.detail)

    def tell(self) -> None:
        """Say what was typed a moment ago."""
        if self.pages is not None:
            self.pages.tell()
