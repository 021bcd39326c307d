"""Fields of the settings page: a label above, an explanation below, one value inside.

Each knows the name of its setting, shows a value with `show_value` and says `edited`
with the name and the new value when a person changes it. Does not know the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QEvent, QTimer, Signal
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QLabel,
    QPlainTextEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from .inputs import Choice, Tick, bare
from .page import wrapped
from .palette import XXS
from .words import grouped, shortest

_TYPING_PAUSE = 400
# Widths as multiples of a line's height.
_NUMBER_LINES, _CHOICE_LINES = 10, 24


class Field(QWidget):
    """What all fields have: a label, an explanation, the setting's name."""

    edited = Signal(str, object)
    _finished = False

    def __init__(
        self, name: str, label: str, hint: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.name = name
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(XXS)
        self._label, self._hint = label, hint

    def finish(self, inner: QWidget, *, labelled: bool = True) -> None:
        """Put the inner widget between label and explanation."""
        if labelled:
            label = QLabel(self._label, self)
            label.setWordWrap(True)
            label.setBuddy(inner)
            self.body.addWidget(label)
        inner.setAccessibleName(self._label)
        inner.setAccessibleDescription(self._hint)
        self.body.addWidget(inner)
        if self._hint:
            self.body.addWidget(wrapped(self._hint, "meta", self))
        self._finished = True
        self.fit()

    def focus_widgets(self) -> tuple[QWidget, ...]:
        """What takes the keyboard, for the page that scrolls."""
        raise NotImplementedError

    def fit(self) -> None:
        """Measure the inner widget anew: the text has another size."""

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and self._finished:
            self.fit()

    def show_value(self, value: Any) -> None:
        """Show a value that came from elsewhere; nothing is said about it."""
        raise NotImplementedError


class TickField(Field):
    """On or off."""

    def __init__(
        self, name: str, label: str, hint: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(name, label, hint, parent)
        self.box = Tick(label, self)
        self.box.clicked.connect(lambda on: self.edited.emit(self.name, on))
        self.finish(self.box, labelled=False)

    def focus_widgets(self) -> tuple[QWidget, ...]:
        return (self.box,)

    def show_value(self, value: Any) -> None:
        self.box.setChecked(bool(value))


class ChoiceField(Field):
    """One of several values, each with its words; a value beyond them is shown, too."""

    def __init__(
        self,
        name: str,
        label: str,
        choices: Sequence[tuple[Any, str]],
        hint: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(name, label, hint, parent)
        self._values = [value for value, _ in choices]
        self._words = [words for _, words in choices]
        self.box = Choice(self)
        self.box.set_words(self._words)
        self.box.chosen.connect(self._chosen)
        self.finish(self.box)

    def focus_widgets(self) -> tuple[QWidget, ...]:
        return (self.box,)

    def fit(self) -> None:
        self.box.setMaximumWidth(_CHOICE_LINES * self.fontMetrics().height())

    def show_value(self, value: Any) -> None:
        if value not in self._values:
            self._values.append(value)
            words = grouped(value) if isinstance(value, int) else shortest(value)
            self._words.append(words)
            self.box.set_words(self._words)
        self.box.set_place(self._values.index(value))

    def _chosen(self, place: int) -> None:
        self.edited.emit(self.name, self._values[place])


class NumberField(Field):
    """A number with a range, whole when `step` is; None where `unless` is ticked off.

    `optional` is the words of a tick that turns the number on, with `start` as the
    number that it begins with.
    """

    def __init__(
        self,
        name: str,
        label: str,
        limits: tuple[float, float],
        *,
        step: float = 1,
        hint: str = "",
        optional: str | None = None,
        start: float = 0,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(name, label, hint, parent)
        least, most = limits
        if isinstance(step, int):
            whole = QSpinBox(self)
            whole.setRange(int(least), int(most))
            whole.setGroupSeparatorShown(True)
            whole.setSingleStep(step)
            whole.setValue(int(start))
            self.box: QSpinBox | QDoubleSpinBox = whole
        else:
            real = QDoubleSpinBox(self)
            real.setRange(least, most)
            real.setDecimals(2)
            real.setSingleStep(step)
            real.setValue(start)
            self.box = real
        bare(self.box)
        self.box.setKeyboardTracking(False)
        self.box.valueChanged.connect(self._changed)
        self.tick: Tick | None = None
        self._showing = False
        if optional is not None:
            self.tick = Tick(optional, self)
            self.tick.toggled.connect(self.box.setEnabled)
            self.tick.clicked.connect(self._changed)
            self.box.setEnabled(False)
            self.body.addWidget(self.tick)
        self.finish(self.box, labelled=optional is None)

    def focus_widgets(self) -> tuple[QWidget, ...]:
        return (self.box,) if self.tick is None else (self.tick, self.box)

    def fit(self) -> None:
        self.box.setMaximumWidth(_NUMBER_LINES * self.fontMetrics().height())

    def show_value(self, value: Any) -> None:
        self._showing = True
        if self.tick is not None:
            self.tick.setChecked(value is not None)
        if value is not None:
            self.box.setValue(value)
        self._showing = False

    def _changed(self) -> None:
        if self._showing:
            return
        off = self.tick is not None and not self.tick.isChecked()
        self.edited.emit(self.name, None if off else self.box.value())


class TextField(Field):
    """Several lines of words, told when typing rests."""

    def __init__(
        self,
        name: str,
        label: str,
        hint: str,
        placeholder: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(name, label, hint, parent)
        self.edit = QPlainTextEdit(self)
        self.edit.setPlaceholderText(placeholder)
        self.edit.setTabChangesFocus(True)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_TYPING_PAUSE)
        self._rest.timeout.connect(self.tell)
        self._told = ""
        self.edit.textChanged.connect(self._rest.start)
        self.finish(self.edit)

    def focus_widgets(self) -> tuple[QWidget, ...]:
        return (self.edit,)

    def fit(self) -> None:
        self.edit.setFixedHeight(4 * self.fontMetrics().lineSpacing() + 24)

    def show_value(self, value: Any) -> None:
        if value == self._told:  # the cursor stays where a person is writing
            return
        self._told = str(value)
        self.edit.setPlainText(self._told)
        self._rest.stop()

    def tell(self) -> None:
        """Say what was typed and not told yet."""
        self._rest.stop()
        words = self.edit.toPlainText()
        if words != self._told:
            self._told = words
            self.edited.emit(self.name, words)
