"""One model of the models page: what it is, whether it fits, what can be done with it.

Shows values and emits intents with the model's name; asks before it deletes.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..models import EngineState, ModelEntry, Transfer
from . import models_words as say
from .models_actions import DeleteQuestion, ModelActions, open_actions
from .page import wrapped
from .palette import XS, XXS, M, S
from .theme import set_role
from .words import breakable, plain_tip, size_words

# Narrower than so many lines' heights, the buttons stand below the words.
_BESIDE_LINES = 28


class ModelRow(QFrame):
    """A card. `show_model` brings it up to date, nothing moves that stays the same."""

    load_requested = Signal(str)
    unload_requested = Signal()
    download_requested = Signal(str)
    pause_requested = Signal(str)
    resume_requested = Signal(str)
    cancel_requested = Signal(str)
    delete_requested = Signal(str)
    convert_requested = Signal(str, str)

    def __init__(self, entry: ModelEntry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "card")
        self._entry = entry
        self.title = wrapped("", "section", self, selectable=True)
        self.verdict = QLabel(self)
        self.facts = wrapped("", "muted", self)
        self.problem = wrapped("", "danger", self, selectable=True)
        self.sum_button = QPushButton(self)
        set_role(self.sum_button, "link")
        self.sum_button.setCheckable(True)
        self.sum_button.toggled.connect(self._show_sum)
        self.sums = wrapped("", "meta", self, selectable=True)
        self.sums.setTextFormat(Qt.TextFormat.RichText)
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.progress = wrapped("", "meta", self)
        self.buttons = ModelActions(self)
        self.buttons.pressed.connect(self._do)
        self.buttons.conversion_chosen.connect(self._convert)
        self.question: DeleteQuestion | None = None
        self._lay_out()
        self._show_sum(False)

    def show_model(
        self, entry: ModelEntry, transfer: Transfer | None, engine: EngineState
    ) -> None:
        """Bring the row up to date."""
        self._entry = entry
        self.setAccessibleName(entry.title)
        _say(self.title, breakable(entry.title))
        self.title.setToolTip(plain_tip(entry.name))
        parts = (say.state(entry, engine), say.facts(entry))
        _say(self.facts, " · ".join(part for part in parts if part))
        verdict = say.verdict(entry)
        _say(self.verdict, verdict.words if verdict else "")
        self.verdict.setVisible(verdict is not None)
        if verdict is not None:
            set_role(self.verdict, verdict.role)
        self.sum_button.setVisible(bool(entry.sums))
        _say(self.sums, _as_table(entry.sums))
        self.sums.setVisible(bool(entry.sums) and self.sum_button.isChecked())
        failed = engine.model == entry.name and engine.phase == "failed"
        problems = (
            entry.problem,
            transfer.problem if transfer else None,
            engine.problem if failed else None,
        )
        problem = "\n".join(each for each in problems if each)
        _say(self.problem, breakable(problem))
        self.problem.setVisible(bool(problem))
        self._show_transfer(transfer)
        self._show_actions(open_actions(entry, transfer, engine))
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Parts beside one another where there is room."""
        beside = self.width() >= _BESIDE_LINES * self.fontMetrics().height()
        _set_beside(self._head, beside)
        words = self.verdict.fontMetrics().horizontalAdvance(self.verdict.text())
        needed = words + S + self.sum_button.sizeHint().width()
        needed += self.buttons.sizeHint().width() + XS if beside else 0
        room = self._column.contentsRect().width()
        fits = beside and needed <= room
        _set_beside(self._fit, fits)
        self._fit.setSpacing(S if fits else 0)
        # Beside others a label that may wrap would ask for less than a line.
        self.verdict.setWordWrap(not fits)

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(XXS)
        words.addWidget(self.title)
        words.addWidget(self.facts)
        self._fit = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._fit.addWidget(self.verdict)
        self._fit.addWidget(self.sum_button, 0, Qt.AlignmentFlag.AlignLeft)
        self._fit.addStretch(1)
        words.addLayout(self._fit)
        self._head = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._head.setSpacing(XS)
        self._head.addLayout(words, 1)
        self._head.addWidget(self.buttons, 0, Qt.AlignmentFlag.AlignTop)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(M, S, M, S)
        self._column.setSpacing(XS)
        self._column.addLayout(self._head)
        for below in (self.sums, self.problem, self.bar, self.progress):
            self._column.addWidget(below)

    def _show_transfer(self, transfer: Transfer | None) -> None:
        shown = transfer is not None and transfer.state not in ("done", "failed")
        self.bar.setVisible(shown)
        self.progress.setVisible(shown)
        if transfer is None or not shown:
            return
        # Without a total the bar wanders.
        self.bar.setRange(0, 1000 if transfer.total else 0)
        if transfer.total:
            self.bar.setValue(round(1000 * transfer.done / transfer.total))
        _say(self.progress, say.progress(transfer))
        self.bar.setAccessibleName(self.tr("Progress of {}").format(self._entry.title))
        self.bar.setAccessibleDescription(self.progress.text())

    def _show_actions(self, names: frozenset[str]) -> None:
        entry = self._entry
        self.buttons.show_only(names, entry)
        if "load" in names:
            load = self.buttons.button("load")
            load.setEnabled(entry.problem is None)
            tight = entry.fits == "no"
            words = self.tr("It needs more memory than this machine has. Asks first.")
            load.setToolTip(words if tight else "")
        if "delete" not in names and self.question is not None:
            self.question.hide()

    def _do(self, name: str) -> None:
        if name == "unload":
            self.unload_requested.emit()
        elif name == "delete":
            self._ask()
        else:
            wishes = {
                "load": self.load_requested,
                "download": self.download_requested,
                "pause": self.pause_requested,
                "resume": self.resume_requested,
                "cancel": self.cancel_requested,
            }
            wishes[name].emit(self._entry.name)

    def _convert(self, recipe: str) -> None:
        self.convert_requested.emit(self._entry.name, recipe)

    def _show_sum(self, shown: bool) -> None:
        self.sums.setVisible(shown)
        self.sum_button.setText(
            self.tr("Hide the detail") if shown else self.tr("Memory in detail")
        )

    def _ask(self) -> None:
        entry = self._entry
        if entry.place == "folder":  # nothing on the disk is touched
            self.delete_requested.emit(entry.name)
            return
        if self.question is None:
            self.question = DeleteQuestion(self)
            self.question.confirmed.connect(self._confirmed)
            self.question.kept.connect(self._kept)
            self._column.addWidget(self.question)
        self.question.ask(size_words(entry.fetched or entry.size or 0))

    def _confirmed(self) -> None:
        if self.question is not None:
            self.question.hide()
        self.delete_requested.emit(self._entry.name)

    def _kept(self) -> None:
        if self.question is not None:
            self.question.hide()
        self.buttons.button("delete").setFocus()


def _set_beside(layout: QBoxLayout, beside: bool) -> None:
    """Let its parts stand beside one another, or below."""
    directions = QBoxLayout.Direction
    layout.setDirection(directions.LeftToRight if beside else directions.TopToBottom)


def _say(label: QLabel, words: str) -> None:
    if label.text() != words:
        label.setText(words)


def _as_table(lines: tuple[str, ...]) -> str:
    """The sum's lines, `name  size  note`, in columns of the page's own font."""
    rows, sentences = [], []
    for line in lines:
        cells = [cell.strip() for cell in line.split("  ") if cell.strip()]
        if len(cells) < 2:
            sentences.append(f"<p>{_escaped(line)}</p>")
            continue
        name, size, *note = cells
        rows.append(
            f"<tr><td>{_escaped(name)}</td><td align='right'>&nbsp;&nbsp;"
            f"{_escaped(size)}&nbsp;&nbsp;</td><td>{_escaped(' '.join(note))}</td></tr>"
        )
    return f"<table cellspacing='2'>{''.join(rows)}</table>{''.join(sentences)}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
