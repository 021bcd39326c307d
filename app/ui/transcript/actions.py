"""What can be done with a message, and what an answer took.

The line keeps its space, and its buttons are made when a reader first comes near:
2,000 messages would have 10,000 of them.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from ...conversation import Stats, Turn
from ..icons import dress
from ..palette import META, XXS, S
from ..theme import set_role
from ..words import decimal, grouped, size_words
from .shared import Shared


class Actions(QWidget):
    """The line under a message; shown on hover and while the focus is inside."""

    def __init__(self, turn: Turn, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent)
        self._turn, self._shared = turn, shared
        self._shown = False
        self._buttons: list[tuple[QToolButton, str]] = []
        self._line: QWidget | None = None

    @property
    def shown(self) -> bool:
        """Whether the buttons can be seen."""
        return self._shown

    def set_turn(self, turn: Turn) -> None:
        """The message has changed."""
        if turn == self._turn:
            return
        self._turn = turn
        self._forget()

    def set_shown(self, shown: bool) -> None:
        """Show or hide the buttons; their space stays."""
        self._shown = shown and self._turn.state != "streaming"
        if self._shown and self._line is None:
            self._make()
        if self._line is not None:
            self._line.setVisible(self._shown)
        self.update()

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        self._forget()

    def height_for(self, width: int) -> int:  # noqa: ARG002
        """One line of small buttons."""
        return self._shared.theme.pixels(16) + 3 * XXS

    def sizeHint(self) -> QSize:
        return QSize(200, self.height_for(0))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        if not self._shown or self._turn.stats is None or self._line is None:
            return
        theme = self._shared.theme
        painter = QPainter(self)
        font = theme.font(META)
        painter.setFont(font)
        painter.setPen(theme.color("muted"))
        room = self.rect().adjusted(self._line.sizeHint().width() + S, 0, 0, 0)
        metrics, parts = QFontMetrics(font), stats_parts(self._turn.stats)
        # Whole figures give way, the last first; the tooltip has all of them.
        while parts and metrics.horizontalAdvance(_joined(parts)) > room.width():
            parts.pop()
        words = _joined(parts)
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(room, flags, words)
        painter.end()

    def _forget(self) -> None:
        if self._line is not None:
            self._line.hide()
            self._line.deleteLater()
        self._line, self._buttons = None, []
        self.set_shown(self._shown)

    def _make(self) -> None:
        self._line = QWidget(self)
        self._row = QHBoxLayout(self._line)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        turn, wishes = self._turn, self._shared.wishes
        answered = turn.role == "assistant"
        self._add("copy", self.tr("Copy"), lambda: wishes.copy.emit(turn.text))
        if answered:
            self._add(
                "again", self.tr("Ask again"), lambda: wishes.regenerate.emit(turn.id)
            )
        if turn.variants > 1:
            self._add_variants()
        if not answered:
            self._add(
                "edit", self.tr("Edit and resend"), lambda: wishes.edit.emit(turn.id)
            )
        self._add("trash", self.tr("Delete"), lambda: wishes.delete.emit(turn.id))
        self._line.adjustSize()
        if not answered:
            self._line.move(self.width() - self._line.width(), 0)
        if turn.stats is not None:
            self.setToolTip(
                " · ".join(filter(None, (turn.model, stats_words(turn.stats))))
            )

    def _add_variants(self) -> None:
        turn, wishes = self._turn, self._shared.wishes
        self._add(
            "left",
            self.tr("The one before"),
            lambda: wishes.variant.emit(turn.id, -1),
            turn.variant > 1,
        )
        count = QLabel(f"{turn.variant}/{turn.variants}", self._line)
        set_role(count, "meta")
        name = self.tr("Number {} of {}").format(turn.variant, turn.variants)
        count.setAccessibleName(name)
        self._row.addWidget(count)
        self._add(
            "right",
            self.tr("The next one"),
            lambda: wishes.variant.emit(turn.id, 1),
            turn.variant < turn.variants,
        )

    def _add(
        self, name: str, words: str, act: Callable[[], None], enabled: bool = True
    ) -> None:
        theme = self._shared.theme
        size = theme.pixels(16)
        button = QToolButton(self._line)
        color = theme.palette.muted if enabled else theme.palette.border
        dress(button, name, color, size)
        button.setToolTip(words)
        button.setAccessibleName(words)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setEnabled(enabled)
        button.clicked.connect(act)
        self._row.addWidget(button)
        self._buttons.append((button, name))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._line is not None and self._turn.role == "user":
            self._line.move(self.width() - self._line.width(), 0)


def stats_words(stats: Stats) -> str:
    """`43 tok/s · 1.2 s · 2,691 image tokens · 2,400 cached · 9.1 GB`; no zeros."""
    return _joined(stats_parts(stats))


def stats_parts(stats: Stats) -> list[str]:
    """The same, one by one."""
    parts = []
    if stats.tokens_per_second:
        parts.append(_tr("{} tok/s").format(decimal(stats.tokens_per_second, 0)))
    if stats.time_to_first_token:
        quick = stats.time_to_first_token < 0.05
        words = _tr("<{} s") if quick else _tr("{} s")
        parts.append(words.format(decimal(max(0.1, stats.time_to_first_token))))
    if stats.image_tokens:
        parts.append(_tr("{} image tokens").format(grouped(stats.image_tokens)))
    if stats.video_tokens:
        parts.append(_tr("{} video tokens").format(grouped(stats.video_tokens)))
    if stats.cached_tokens:
        parts.append(_tr("{} cached").format(grouped(stats.cached_tokens)))
    if stats.peak_memory:
        parts.append(size_words(stats.peak_memory))
    return parts


def _joined(parts: list[str]) -> str:
    return " · ".join(parts)


def _tr(text: str) -> str:
    return QCoreApplication.translate("Actions", text)
