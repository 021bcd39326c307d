"""The attachment cards in a row that scrolls sideways when there are many."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QWidget

from ..palette import XXS
from ..theme import Theme
from .card import AttachmentCard
from .values import CardValue


class CardStrip(QScrollArea):
    """Shows values in their order; a card stays the same widget while its key does."""

    removed = Signal(str)
    moved = Signal(str, int)
    opened = Signal(str)
    emptied = Signal()  # the focus stood in it and has nowhere to go

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._cards: dict[str, AttachmentCard] = {}
        # A card that is to be seen, when the row gets its new width, too.
        self._shown = ""
        self._showing = QTimer(self, singleShot=True, interval=0)
        self._showing.timeout.connect(self._show)
        self._inner = QWidget(self)
        self._inner.setObjectName("strip")
        self._row = QHBoxLayout(self._inner)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(XXS)
        self._row.addStretch()
        self.setWidget(self._inner)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setStyleSheet("QScrollArea, QWidget#strip { background: transparent; }")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Attachments"))
        self.horizontalScrollBar().rangeChanged.connect(self._fit)
        self.horizontalScrollBar().rangeChanged.connect(self._show)
        theme.changed.connect(self._restyle)
        self.hide()

    @property
    def cards(self) -> tuple[AttachmentCard, ...]:
        """The cards from left to right."""
        return tuple(self._cards.values())

    def set_values(self, values: tuple[CardValue, ...]) -> None:
        """Show exactly these."""
        before = list(self._cards)
        focused = next((k for k, card in self._cards.items() if card.hasFocus()), None)
        broken = [value.key for value in values if self._breaks(value)]
        old, self._cards = self._cards, {}
        self._inner.setUpdatesEnabled(False)
        for value in values:
            card = old.pop(value.key, None) or self._new_card(value)
            card.set_value(value)
            self._cards[value.key] = card
        for card in old.values():
            self._row.removeWidget(card)
            card.hide()
            card.deleteLater()
        if before != list(self._cards):
            self._arrange()
        self._inner.setUpdatesEnabled(True)
        self.setVisible(bool(values))
        self._fit()
        if focused is not None:
            self._keep_focus(focused, before)
        elif broken or len(values) > len(before):
            self._shown = broken[-1] if broken else values[-1].key
            self._showing.start()

    def sizeHint(self) -> QSize:
        return QSize(200, self._wanted_height())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """A wheel that only goes up and down scrolls sideways."""
        turn = event.angleDelta()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - (turn.x() or turn.y()))
        self._shown = ""
        event.accept()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _show(self) -> None:
        if self._shown in self._cards:
            self.ensureWidgetVisible(self._cards[self._shown], XXS, 0)

    def _breaks(self, value: CardValue) -> bool:
        """Whether something is wrong with it that was not before."""
        card = self._cards.get(value.key)
        return value.problem is not None and (card is None or not card.value.problem)

    def _new_card(self, value: CardValue) -> AttachmentCard:
        card = AttachmentCard(value, self._theme, self._inner)
        card.removed.connect(self.removed)
        card.moved.connect(self.moved)
        card.opened.connect(self.opened)
        card.stepped.connect(self._step)
        return card

    def _arrange(self) -> None:
        for place, card in enumerate(self._cards.values()):
            if self._row.indexOf(card) != place:
                self._row.insertWidget(place, card, 0, Qt.AlignmentFlag.AlignTop)
        cards = self.cards
        for one, next_one in pairwise(cards):
            QWidget.setTabOrder(one, next_one)

    def _step(self, key: str, step: int) -> None:
        keys = list(self._cards)
        place = keys.index(key) + step
        if 0 <= place < len(keys):
            self._focus(keys[place])

    def _focus(self, key: str) -> None:
        self._shown = key
        card = self._cards[key]
        card.setFocus(Qt.FocusReason.TabFocusReason)
        self._row.activate()
        self.ensureWidgetVisible(card, XXS, 0)

    def _keep_focus(self, key: str, before: list[str]) -> None:
        """The card that had the focus, or the one that took its place."""
        if key not in self._cards:
            keys = list(self._cards)
            if not keys:
                self.emptied.emit()
                return
            key = keys[min(before.index(key), len(keys) - 1)]
        self._focus(key)

    def _wanted_height(self) -> int:
        height = max((c.sizeHint().height() for c in self._cards.values()), default=0)
        bar = self.horizontalScrollBar()
        return height + (bar.sizeHint().height() if bar.maximum() > 0 else 0)

    def _fit(self) -> None:
        height = self._wanted_height()
        if self.minimumHeight() != height:
            self.setFixedHeight(height)

    def _restyle(self) -> None:
        for card in self._cards.values():
            card.restyle()
        self._fit()
