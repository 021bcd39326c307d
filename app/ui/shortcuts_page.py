"""A table of keyboard shortcuts. Knows only the values it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QWidget

from .page import Page, card, headed, wrapped
from .palette import L, M, S
from .theme import set_role


@dataclass(frozen=True)
class Shortcut:
    """What a key does. `keys` as Qt writes them, "Ctrl+T" being Cmd+T on a Mac."""

    group: str
    words: str
    keys: str


class ShortcutsPage(Page):
    """Groups of shortcuts, each in a card, in the order of their first shortcut."""

    def __init__(
        self, shortcuts: Sequence[Shortcut], parent: QWidget | None = None
    ) -> None:
        super().__init__(self.tr("Keyboard shortcuts"), parent)
        self._shortcuts = tuple(shortcuts)

    def build(self) -> None:
        self.column.setSpacing(L)
        for group in dict.fromkeys(each.group for each in self._shortcuts):
            members = [each for each in self._shortcuts if each.group == group]
            frame = self._group(members)
            self.column.addLayout(headed(group, frame, self))
        self.column.addStretch(1)

    def _group(self, shortcuts: Sequence[Shortcut]) -> QFrame:
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
        return frame
