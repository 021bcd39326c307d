"""What can be done with a model: which actions are open, their buttons, one question.

Most models have one or two open, so a button is made when its action first is.
"""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QWidget

from ..models import EngineState, ModelEntry, Transfer
from .models_words import conversions
from .palette import XS
from .theme import set_role

# From left to right.
ACTIONS = (
    *("load", "unload", "download", "pause", "resume", "cancel"),
    *("convert", "delete"),
)
_ROLES = {"load": "primary", "delete": "danger"}


def open_actions(
    entry: ModelEntry, transfer: Transfer | None, engine: EngineState
) -> frozenset[str]:
    """The names of `ACTIONS` that this model, as it stands, can be asked for."""
    moving = transfer is not None and transfer.state in ("running", "verifying")
    paused = transfer is not None and transfer.state == "paused"
    used = engine.model == entry.name and engine.phase not in ("off", "failed")
    ready = entry.on_disk == "ready"
    partial_ = entry.on_disk == "partial"
    fetchable = entry.place == "hub" and not (ready or moving or paused)
    deletable = entry.place != "demo" and entry.on_disk != "absent"
    tests = {
        "load": ready and not used,
        "unload": used,
        "download": fetchable and not partial_,
        "pause": moving,
        "resume": paused or (fetchable and partial_),
        "cancel": moving or paused,
        "convert": entry.convertible and ready and not moving,
        "delete": deletable and not (moving or paused or used),
    }
    return frozenset(name for name, holds in tests.items() if holds)


class ModelActions(QWidget):
    """A line of buttons; says which was pressed."""

    pressed = Signal(str)
    conversion_chosen = Signal(str)  # a recipe

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._made: dict[str, QPushButton] = {}
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(XS)
        self._row.addStretch(1)

    @property
    def shown(self) -> tuple[str, ...]:
        """The actions that have a button to press, from left to right."""
        return tuple(
            name
            for name in ACTIONS
            if name in self._made and not self._made[name].isHidden()
        )

    def button(self, name: str) -> QPushButton:
        """An action's button. Raises KeyError where it was never open."""
        return self._made[name]

    def show_only(self, names: frozenset[str], entry: ModelEntry) -> None:
        """Offer these, of this model."""
        for name in ACTIONS:
            if name in names and name not in self._made:
                self._make(name)
            if name in self._made:
                self._made[name].setVisible(name in names)
        if entry.place == "folder" and "delete" in self._made:
            self._made["delete"].setText(self.tr("Remove"))
            self._made["delete"].setToolTip(self.tr("From this list; the folder stays"))
        for button in self._made.values():
            button.setAccessibleName(f"{button.text()}, {entry.title}")
        self.setVisible(bool(names))

    def _make(self, name: str) -> None:
        words = {
            "load": self.tr("Load"),
            "unload": self.tr("Unload"),
            "download": self.tr("Download"),
            "pause": self.tr("Pause"),
            "resume": self.tr("Resume"),
            "cancel": self.tr("Cancel"),
            "convert": self.tr("Convert…"),
            "delete": self.tr("Delete"),
        }
        button = QPushButton(words[name], self)
        set_role(button, _ROLES.get(name, ""))
        if name == "convert":
            button.setMenu(self._recipes(button))
        else:
            button.clicked.connect(partial(self.pressed.emit, name))
        before = ACTIONS[: ACTIONS.index(name)]
        self._row.insertWidget(sum(each in self._made for each in before), button)
        self._made[name] = button

    def _recipes(self, button: QPushButton) -> QMenu:
        menu = QMenu(button)
        for each in conversions():
            chosen = partial(self.conversion_chosen.emit, each.recipe)
            menu.addAction(each.words).triggered.connect(chosen)
        return menu


class DeleteQuestion(QWidget):
    """Stands in the row, in place of a dialog over everything."""

    confirmed = Signal()
    kept = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.confirm = QPushButton(_tr("Delete"), self)
        set_role(self.confirm, "danger")
        self.confirm.clicked.connect(self.confirmed)
        self.keep = QPushButton(_tr("Keep"), self)
        self.keep.clicked.connect(self.kept)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(XS)
        row.addWidget(self.words, 1)
        row.addWidget(self.confirm)
        row.addWidget(self.keep)

    def ask(self, size: str) -> None:
        """Whether so much shall go."""
        question = _tr("Delete {} from this disk?").format(size)
        self.words.setText(question)
        self.confirm.setAccessibleName(question)
        self.show()
        self.keep.setFocus()


def _tr(text: str) -> str:
    return QCoreApplication.translate("models", text)
