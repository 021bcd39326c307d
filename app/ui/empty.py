"""What an empty conversation shows: who answers, what it can do, three examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from .icons import pixmap
from .palette import COLUMN_WIDTH, SCROLL_BAR, XS, L, M, S
from .theme import Theme, set_role

# Narrower than this, at a font scale of 1, the examples stand below one another.
_BESIDE = 560
# The same of the button that offers a model.
_OFFER_BESIDE = 400
_ICON = 24


@dataclass(frozen=True)
class Example:
    """A question about files that come with the app; `icon` names one of `icons`."""

    icon: str
    question: str
    files: tuple[Path, ...]


class EmptyConversation(QScrollArea):
    """Says `chosen` with an example, or that other models are wanted."""

    chosen = Signal(object)  # Example
    models_requested = Signal()

    def __init__(
        self, theme: Theme, examples: tuple[Example, ...], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._buttons: list[tuple[ExampleCard, Example]] = []
        self._name = QLabel(self)
        self._name.setWordWrap(True)
        set_role(self._name, "title")
        self._what = QLabel(self)
        self._what.setWordWrap(True)
        set_role(self._what, "muted")
        self._cards = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        for example in examples:
            self._cards.addWidget(self._card(example), 1)
        self._lay_out(self._make_banner())
        theme.changed.connect(self._dress)
        self.set_model("", is_demo=False)
        self._dress()

    def set_model(self, title: str, *, is_demo: bool) -> None:
        """Who answers; the banner stands where it is the demo."""
        self._name.setText(title or self.tr("No model is loaded"))
        self._what.setText(
            self.tr("Drop a picture, a video or a PDF, and ask about it.")
            if title
            else self.tr("Nothing can be asked until one is.")
        )
        self._banner.setVisible(is_demo or not title)
        self._words.setText(
            self.tr(
                "This demo of 4.3 million parameters finds shapes, watches clips and "
                "reads big text."
            )
            if title
            else self.tr("GLM-4.5V and the demo stand on the models page.")
        )
        self._get.setText(
            self.tr("Get GLM-4.5V") if title else self.tr("Choose a model")
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._turn()

    def _make_banner(self) -> QFrame:
        self._banner = QFrame(self)
        set_role(self._banner, "banner")
        self._words = QLabel(self._banner)
        self._words.setWordWrap(True)
        self._get = QPushButton(self._banner)
        set_role(self._get, "primary")
        self._get.clicked.connect(self.models_requested)
        self._offer = QBoxLayout(QBoxLayout.Direction.LeftToRight, self._banner)
        self._offer.setContentsMargins(M, S, M, S)
        self._offer.setSpacing(S)
        self._offer.addWidget(self._words, 1)
        self._offer.addWidget(self._get, 0, Qt.AlignmentFlag.AlignLeft)
        return self._banner

    def _lay_out(self, banner: QFrame) -> None:
        inside = QWidget(self)
        content = QWidget(inside)
        content.setMaximumWidth(COLUMN_WIDTH)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(M)
        column.addWidget(self._name)
        column.addWidget(self._what)
        column.addLayout(self._cards)
        column.addWidget(banner)
        whole = self._whole = QVBoxLayout(inside)
        self.verticalScrollBar().rangeChanged.connect(self._keep_clear)
        self._keep_clear(0, 0)
        centred = QHBoxLayout()
        centred.addStretch(0)
        centred.addWidget(content, 1)
        centred.addStretch(0)
        whole.addStretch(1)
        whole.addLayout(centred)
        whole.addStretch(1)
        self.setWidget(inside)

    def _card(self, example: Example) -> ExampleCard:
        button = ExampleCard(example, self)
        button.setAccessibleName(self.tr("Example: ") + example.question)
        button.clicked.connect(lambda: self.chosen.emit(example))
        self._buttons.append((button, example))
        return button

    def _keep_clear(self, least: int, most: int) -> None:
        """The scroll bar stands in the margin: what is read stays over the composer."""
        right = L - SCROLL_BAR if most > least else L
        self._whole.setContentsMargins(L, M, right, M)

    def _turn(self) -> None:
        """Beside or below one another, as the width wants it."""
        room, directions = self.width() - 2 * L, QBoxLayout.Direction
        beside = room >= self._theme.pixels(_BESIDE)
        for layout, least in ((self._cards, _BESIDE), (self._offer, _OFFER_BESIDE)):
            fits = room >= self._theme.pixels(least)
            layout.setDirection(
                directions.LeftToRight if fits else directions.TopToBottom
            )
        self._cards.setSpacing(M if beside else XS)
        for button, _ in self._buttons:
            button.set_tall(beside)

    def _dress(self) -> None:
        for button, _ in self._buttons:
            button.dress(self._theme)
        self._turn()


class ExampleCard(QPushButton):
    """An icon and a question, over or beside one another."""

    def __init__(self, example: Example, parent: QWidget) -> None:
        super().__init__(parent)
        self._name = example.icon
        self._sign = QLabel(self)
        self._words = QLabel(example.question, self)
        self._words.setWordWrap(True)
        self._row = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._row.addWidget(self._sign)
        self._row.addWidget(self._words, 1)
        for label in (self._sign, self._words):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        policy = self.sizePolicy()
        policy.setHorizontalPolicy(policy.Policy.Expanding)
        policy.setVerticalPolicy(policy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.set_tall(True)

    def set_tall(self, tall: bool) -> None:
        """The icon over the words, or before them."""
        directions, sides = QBoxLayout.Direction, Qt.AlignmentFlag
        self._row.setDirection(
            directions.TopToBottom if tall else directions.LeftToRight
        )
        self._row.setContentsMargins(M, M if tall else S, M, M if tall else S)
        self._row.setSpacing(XS if tall else S)
        middle = sides.AlignHCenter if tall else sides.AlignLeft
        self._words.setAlignment(middle | sides.AlignVCenter)
        self._sign.setAlignment(sides.AlignCenter)

    def dress(self, theme: Theme) -> None:
        """Take on the theme's colours and sizes."""
        colors, ratio = theme.palette, self.devicePixelRatioF()
        size = theme.pixels(_ICON)
        self._sign.setPixmap(pixmap(self._name, colors.accent, size, ratio))
        self.setStyleSheet(
            f"ExampleCard {{ background: {colors.raised}; padding: 0;"
            f" border: 1px solid {colors.border}; }}"
            f"ExampleCard:hover {{ border-color: {colors.accent}; }}"
            f"ExampleCard:focus {{ border: 2px solid {colors.accent}; }}"
        )

    def sizeHint(self) -> QSize:
        return self._row.totalSizeHint()

    def minimumSizeHint(self) -> QSize:
        return self._row.totalMinimumSize()

    def heightForWidth(self, width: int) -> int:
        return self._row.totalHeightForWidth(width)
