"""One model of the models page: what it is, whether it fits, what can be done with it.

Shows values and emits intents with the model's name; asks before it deletes.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..models import EngineState, ModelEntry, Transfer
from . import models_words as say
from .page import wrapped
from .palette import XS, M, S
from .theme import set_role
from .words import breakable, size_words


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
        self.title = wrapped("", "section", self)
        self.verdict = wrapped("", None, self)
        self.facts = wrapped("", "muted", self)
        self.problem = wrapped("", "danger", self)
        self.sum_button = QPushButton(self.tr("Show the sum"), self)
        set_role(self.sum_button, "link")
        self.sum_button.setCheckable(True)
        self.sum_button.toggled.connect(self._show_sum)
        self.sums = wrapped("", "meta", self)
        self.sums.setTextFormat(Qt.TextFormat.RichText)
        self.sums.hide()
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.progress = wrapped("", "meta", self)
        self._make_actions()
        self._make_question()
        self._lay_out()

    def _make_actions(self) -> None:
        self.load = self._button(self.tr("Load"), self.load_requested, "primary")
        self.unload = QPushButton(self.tr("Unload"), self)
        self.unload.clicked.connect(self.unload_requested)
        self.download = self._button(self.tr("Download"), self.download_requested)
        self.pause = self._button(self.tr("Pause"), self.pause_requested)
        self.resume = self._button(self.tr("Resume"), self.resume_requested)
        self.cancel = self._button(self.tr("Cancel"), self.cancel_requested)
        self.convert = QPushButton(self.tr("Convert…"), self)
        menu = QMenu(self.convert)
        for each in say.conversions():
            action = menu.addAction(each.words)
            action.setData(each.recipe)
        menu.triggered.connect(
            lambda action: self.convert_requested.emit(self._entry.name, action.data())
        )
        self.convert.setMenu(menu)
        self.delete = QPushButton(self.tr("Delete"), self)
        set_role(self.delete, "danger")
        self.delete.clicked.connect(self._ask)

    def _make_question(self) -> None:
        """Stands in the row, in place of a dialog over everything."""
        self.question = QWidget(self)
        self._asked = wrapped("", None, self.question)
        self.confirm = QPushButton(self.tr("Delete"), self.question)
        set_role(self.confirm, "danger")
        self.confirm.clicked.connect(self._confirmed)
        self.keep = QPushButton(self.tr("Keep"), self.question)
        self.keep.clicked.connect(self._kept)
        layout = QHBoxLayout(self.question)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(XS)
        layout.addWidget(self._asked, 1)
        layout.addWidget(self.confirm)
        layout.addWidget(self.keep)
        self.question.hide()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(M, S, M, S)
        layout.setSpacing(XS)
        layout.addWidget(self.title)
        layout.addWidget(self.facts)
        verdict_line = QHBoxLayout()
        verdict_line.setSpacing(S)
        verdict_line.addWidget(self.verdict, 1)
        verdict_line.addWidget(self.sum_button)
        layout.addLayout(verdict_line)
        layout.addWidget(self.sums)
        layout.addWidget(self.problem)
        layout.addWidget(self.bar)
        layout.addWidget(self.progress)
        actions = QHBoxLayout()
        actions.setSpacing(XS)
        for button in self._buttons():
            actions.addWidget(button)
        actions.addStretch(1)
        layout.addLayout(actions)
        layout.addWidget(self.question)

    def _buttons(self) -> tuple[QPushButton, ...]:
        running = (self.pause, self.resume, self.cancel)
        return (
            *(self.load, self.unload, self.download),
            *running,
            *(self.convert, self.delete),
        )

    def _button(
        self, words: str, signal: SignalInstance, role: str | None = None
    ) -> QPushButton:
        button = QPushButton(words, self)
        if role is not None:
            set_role(button, role)
        button.clicked.connect(lambda: signal.emit(self._entry.name))
        return button

    def show_model(
        self, entry: ModelEntry, transfer: Transfer | None, engine: EngineState
    ) -> None:
        """Bring the row up to date."""
        self._entry = entry
        self.setAccessibleName(entry.title)
        _say(self.title, breakable(entry.title))
        self.title.setToolTip(entry.name)
        _say(
            self.facts,
            " · ".join(
                part for part in (say.state(entry, engine), say.facts(entry)) if part
            ),
        )
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
        self._show_actions(entry, transfer, engine)

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

    def _show_actions(
        self, entry: ModelEntry, transfer: Transfer | None, engine: EngineState
    ) -> None:
        moving = transfer is not None and transfer.state in ("running", "verifying")
        paused = transfer is not None and transfer.state == "paused"
        used = engine.model == entry.name and engine.phase not in ("off", "failed")
        ready = entry.on_disk == "ready"
        hub = entry.place == "hub"
        self.load.setVisible(ready and not used)
        self.load.setEnabled(entry.problem is None and entry.fits != "no")
        self.load.setToolTip(
            "" if self.load.isEnabled() else self.tr("It does not run on this machine")
        )
        self.unload.setVisible(used)
        fetchable = hub and not ready and not moving and not paused
        self.download.setVisible(fetchable and entry.on_disk != "partial")
        self.pause.setVisible(moving)
        self.resume.setVisible(paused or (fetchable and entry.on_disk == "partial"))
        self.cancel.setVisible(moving or paused)
        self.convert.setVisible(entry.convertible and ready and not moving)
        self.delete.setVisible(
            entry.place != "demo"
            and entry.on_disk != "absent"
            and not (moving or paused or used)
        )
        if entry.place == "folder":
            self.delete.setText(self.tr("Remove"))
            self.delete.setToolTip(self.tr("From this list; the folder stays"))
        for button in self._buttons():
            button.setAccessibleName(f"{button.text()}, {entry.title}")
        if not self.delete.isVisibleTo(self):
            self.question.hide()

    def _show_sum(self, shown: bool) -> None:
        self.sums.setVisible(shown)
        self.sum_button.setText(
            self.tr("Hide the sum") if shown else self.tr("Show the sum")
        )

    def _ask(self) -> None:
        entry = self._entry
        if entry.place == "folder":  # nothing on the disk is touched
            self.delete_requested.emit(entry.name)
            return
        size = size_words(entry.fetched or entry.size or 0)
        question = self.tr("Delete {} from this disk?").format(size)
        self._asked.setText(question)
        self.confirm.setAccessibleName(question)
        self.question.show()
        self.keep.setFocus()

    def _confirmed(self) -> None:
        self.question.hide()
        self.delete_requested.emit(self._entry.name)

    def _kept(self) -> None:
        self.question.hide()
        self.delete.setFocus()


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
