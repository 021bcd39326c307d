"""A table of keyboard shortcuts. Knows only the values it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from .page import Page, card, wrapped
from .palette import M, S
from .theme import set_role


@dataclass(frozen=True)
class Shortcut:
    """What a key does. `keys` as Qt writes them, "Ctrl+T" being Cmd+T on a Mac."""

    group: str
    words: str
    keys: str


class ShortcutsPage(Page):
    """Groups of shortcuts, each in a card."""

    def __init__(
        self, shortcuts: Sequence[Shortcut] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(self.tr("Keyboard shortcuts"), parent)
        self._shown: list[QWidget] = []
        self.column.addStretch(1)
        self.set_shortcuts(shortcuts)

    def set_shortcuts(self, shortcuts: Sequence[Shortcut]) -> None:
        """Show these, groups in the order of their first shortcut."""
        for widget in self._shown:
            self.column.removeWidget(widget)
            widget.deleteLater()
        self._shown = []
        for group in dict.fromkeys(each.group for each in shortcuts):
            members = [each for each in shortcuts if each.group == group]
            self._add_group(group, members)

    def _add_group(self, group: str, shortcuts: Sequence[Shortcut]) -> None:
        title = QLabel(group, self)
        set_role(title, "section")
        frame, inside = card(self)
        grid = QGridLayout()
        grid.setHorizontalSpacing(M)
        grid.setVerticalSpacing(S)
        grid.setColumnStretch(0, 1)
        inside.addLayout(grid)
        for row, each in enumerate(shortcuts):
            keys = QKeySequence(each.keys).toString(
                QKeySequence.SequenceFormat.NativeText
            )
            chip = QLabel(keys, frame)
            set_role(chip, "chip")
            words = wrapped(each.words, None, frame)
            words.setAccessibleName(f"{each.words}: {keys}")
            grid.addWidget(words, row, 0)
            sides = Qt.AlignmentFlag
            grid.addWidget(chip, row, 1, sides.AlignRight | sides.AlignVCenter)
        for widget in (title, frame):
            self.column.insertWidget(self.column.count() - 1, widget)
            self._shown.append(widget)
