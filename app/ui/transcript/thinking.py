"""What the model thought, in a panel: one line that opens.

Open with a running clock while it thinks, closed when the answer starts; after a
person's click, as the person left it.
"""

from __future__ import annotations

import time

from PySide6.QtCore import QSize, QTimer
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from ..icons import icon
from ..palette import XS, XXS, L, S
from ..theme import set_role
from .plain import PlainText
from .shared import Shared
from .stack import Stack

# A pill's ends are round only where it is as high as twice its radius.
_PILL = 30


class ThinkingPanel(Stack):
    """Shows thinking as it is written, or only how long it took."""

    def __init__(self, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent, gap=XXS)
        self._shared = shared
        self._thoughts = ""
        self._open, self._clicked = False, False
        self._since: float | None = None
        self._seconds: float | None = None
        head = QWidget(self)
        self.line = QPushButton(head)
        set_role(self.line, "quiet")
        # At the column's edge, as the text is.
        self.line.setStyleSheet("padding-left: 0px; padding-right: 4px;")
        self.line.clicked.connect(self._toggle)
        self.answer_now = QPushButton(self.tr("Answer now"), head)
        set_role(self.answer_now, "pill")
        self.answer_now.setMinimumHeight(shared.theme.pixels(_PILL))
        self.answer_now.clicked.connect(shared.wishes.answer_now)
        row = QHBoxLayout(head)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(XS)
        row.addWidget(self.line)
        row.addWidget(self.answer_now)
        row.addStretch(1)
        self.put(head)
        self._words: PlainText | None = None
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._tell)
        self.answer_now.hide()
        self._tell()

    @property
    def title(self) -> str:
        """The line that is always shown."""
        return self.line.text()

    @property
    def text(self) -> str:
        """All that was thought."""
        return self._thoughts

    @property
    def is_open(self) -> bool:
        """Whether the thoughts are shown."""
        return self._open

    @property
    def running(self) -> bool:
        """Whether the model is thinking."""
        return self._since is not None

    def start(self, thoughts: str | None = None) -> None:
        """The model thinks: open, the clock runs."""
        if thoughts is not None:
            self._thoughts = thoughts
        self._since = time.monotonic()
        self._clock.start()
        self.answer_now.show()
        self._set_open(self._open if self._clicked else True)

    def append(self, piece: str) -> None:
        """More thoughts."""
        self._thoughts += piece
        if self._words is not None and self._open:
            self._words.set_text(self._thoughts.lstrip("\n"))

    def finish(self) -> None:
        """The answer starts: the clock stands, the panel closes."""
        if self._since is None:
            return
        self._seconds = time.monotonic() - self._since
        self._rest()

    def show_finished(self, thoughts: str, seconds: float | None) -> None:
        """Thoughts of an earlier answer, or the exact time of this one."""
        self._thoughts, self._seconds = thoughts, seconds
        self._rest()

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        self._tell()
        self.answer_now.setMinimumHeight(self._shared.theme.pixels(_PILL))
        if self._words is not None:
            self._words.restyle()
        self.settle()

    def _rest(self) -> None:
        self._since = None
        self._clock.stop()
        self.answer_now.hide()
        self._set_open(self._open if self._clicked else False)

    def _toggle(self) -> None:
        self._clicked = True
        self._set_open(not self._open)

    def _set_open(self, is_open: bool) -> None:
        self._open = is_open
        if is_open:
            if self._words is None:
                self._words = PlainText(self._shared.theme, self, "muted")
                self._page = _Indented(self._words, self)
                self.put(self._page)
            self._words.set_text(self._thoughts.lstrip("\n"))
        if self._words is not None:
            self._page.setVisible(is_open)
        self._tell()
        self.settle()

    def _tell(self) -> None:
        if self._since is not None:
            passed = int(time.monotonic() - self._since)
            words = self.tr("Thinking {} s").format(passed)
        elif self._seconds is None:
            words = self.tr("Thoughts")
        else:
            words = self.tr("Thought for {} s").format(max(1, round(self._seconds)))
        theme = self._shared.theme
        size = theme.pixels(16)
        arrow = icon("down" if self._open else "right", theme.palette.muted, size)
        self.line.setIcon(arrow)
        self.line.setIconSize(QSize(size, size))
        self.line.setText(words)
        state = self.tr("shown") if self._open else self.tr("hidden")
        self.line.setAccessibleDescription(state)


class _Indented(Stack):
    """The thoughts, under the words of the line."""

    def __init__(self, words: PlainText, parent: QWidget) -> None:
        super().__init__(parent, margins=(L - XXS, 0, S, XS))
        words.setParent(self)
        self.put(words)
