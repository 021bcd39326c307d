"""How a row of the sidebar looks: a heading, a conversation, or a place found."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QFont,
    QFontMetrics,
    QKeyEvent,
    QPainter,
    QPen,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import (
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from ...conversation import Conversation, Hit
from ..icons import pixmap
from ..palette import BODY, CARD_RADIUS, META, XS, XXS
from ..theme import Theme
from .model import CURRENT, VALUE, Heading, Index, shown_title

_PIN = 14
_SNIPPET_LINES = 2
_BELOW_TITLE = 2


class RowDelegate(QStyledItemDelegate):
    """Paints with the theme's colours as they are when it paints."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        theme.changed.connect(self._measure)
        self._measure()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        value = index.data(VALUE)
        if isinstance(value, Heading):
            # The first needs no distance from the one before.
            return self._heading if index.row() else self._first_heading
        if isinstance(value, Hit) and value.turn is not None:
            room = option.rect.width() - 2 * XS - 2 * XXS
            words = self._meta.horizontalAdvance(value.snippet)
            # A line of little less room, since matches are heavier.
            return self._found[0 if words < room - XS else 1]
        return self._conversation

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: Index
    ) -> None:
        value = index.data(VALUE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if isinstance(value, Heading):
            self._paint_heading(painter, option.rect, value)
        elif isinstance(value, Conversation):
            self._paint_ground(painter, option, bool(index.data(CURRENT)))
            self._paint_conversation(painter, option.rect, value)
        elif isinstance(value, Hit):
            self._paint_ground(painter, option, False)
            self._paint_hit(painter, option.rect, value)
        painter.restore()

    def createEditor(
        self,
        parent: QWidget,
        option: QStyleOptionViewItem,  # noqa: ARG002
        index: Index,
    ) -> QWidget:
        editor = QLineEdit(parent)
        editor.setMaxLength(200)
        editor.setPlaceholderText(shown_title(index.data(VALUE).title))
        editor.setAccessibleName(self.tr("Title of the conversation"))
        # The sheet's room for a field in a form would cut letters off in a row.
        editor.setStyleSheet(f"QLineEdit {{ padding: 0 {XS - 2}px; }}")
        return editor

    def updateEditorGeometry(
        self,
        editor: QWidget,
        option: QStyleOptionViewItem,
        index: Index,  # noqa: ARG002
    ) -> None:
        editor.setGeometry(_card(option.rect))

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        # A row that changes meanwhile must not take back what was typed.
        if isinstance(editor, QLineEdit) and not editor.isModified():
            super().setEditorData(editor, index)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Tab would edit the next row, and a heading is no title.
        tabs = (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
        if (
            event.type() == QEvent.Type.KeyPress
            and isinstance(event, QKeyEvent)
            and event.key() in tabs
        ):
            return False
        return super().eventFilter(watched, event)

    def _measure(self) -> None:
        body = QFontMetrics(self._theme.font(BODY)).height()
        meta = QFontMetrics(self._theme.font(META)).height()
        self._conversation = QSize(100, body + 2 * XS + 2)
        self._first_heading = QSize(100, meta + XS)
        self._heading = QSize(100, meta + XS + 3 * XXS)
        self._meta = QFontMetrics(self._theme.font(META))
        self._found = tuple(
            QSize(100, body + _BELOW_TITLE + lines * meta + 2 * XS + 2)
            for lines in range(1, _SNIPPET_LINES + 1)
        )

    def _paint_heading(self, painter: QPainter, rect: QRect, value: Heading) -> None:
        painter.setFont(self._theme.font(META, bold=True))
        painter.setPen(self._theme.color("muted"))
        place = rect.adjusted(XS + XXS, 0, -XS, -XXS)
        self._line(painter, place, value.title, Qt.AlignmentFlag.AlignBottom)

    def _paint_ground(
        self, painter: QPainter, option: QStyleOptionViewItem, current: bool
    ) -> None:
        card = QRectF(_card(option.rect))
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if current or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            color = self._theme.color("soft" if current else "border")
            if not current:
                color.setAlphaF(0.5)
            painter.setBrush(color)
            painter.drawRoundedRect(card, CARD_RADIUS, CARD_RADIUS)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.color("accent"), 2))
            painter.drawRoundedRect(
                card.adjusted(1, 1, -1, -1), CARD_RADIUS, CARD_RADIUS
            )

    def _paint_conversation(
        self, painter: QPainter, rect: QRect, value: Conversation
    ) -> None:
        place = _card(rect).adjusted(XS, 0, -XS, 0)
        if value.pinned:
            ratio = painter.device().devicePixelRatioF()
            picture = pixmap("pin", self._theme.palette.muted, _PIN, ratio)
            top = place.center().y() - _PIN // 2 + 1
            painter.drawPixmap(place.right() - _PIN + 1, top, picture)
            place.setRight(place.right() - _PIN - XXS)
        painter.setFont(self._theme.font(BODY))
        painter.setPen(self._theme.color("text" if value.title else "muted"))
        self._line(
            painter, place, shown_title(value.title), Qt.AlignmentFlag.AlignVCenter
        )

    def _paint_hit(self, painter: QPainter, rect: QRect, value: Hit) -> None:
        place = _card(rect).adjusted(XS, XS, -XS, 0)
        if value.turn is None:  # the title is what was found
            painter.setPen(self._theme.color("text"))
            at = QPointF(place.left(), place.top())
            self._snippet(painter, at, place.width(), value, BODY, lines=1)
            return
        painter.setFont(self._theme.font(BODY))
        painter.setPen(self._theme.color("text"))
        self._line(painter, place, shown_title(value.title), Qt.AlignmentFlag.AlignTop)
        below = place.top() + painter.fontMetrics().height() + _BELOW_TITLE
        painter.setPen(self._theme.color("muted"))
        at = QPointF(place.left(), below)
        self._snippet(painter, at, place.width(), value, META, lines=_SNIPPET_LINES)

    def _snippet(
        self,
        painter: QPainter,
        at: QPointF,
        width: int,
        value: Hit,
        size: int,
        *,
        lines: int,
    ) -> None:
        """So many lines of it, the matches in the accent and heavier."""
        font = self._theme.font(size)
        # One space for each line break: the matches count characters.
        flat = "".join(" " if c.isspace() else c for c in value.snippet)
        layout = QTextLayout(flat, font)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        look = QTextCharFormat()
        look.setForeground(self._theme.color("accent"))
        look.setFontWeight(QFont.Weight.DemiBold)
        layout.setFormats(
            [_range(start, stop, look) for start, stop in value.matches if start < stop]
        )
        begin = _last_line(layout, width, lines)
        rest = layout.text()[begin:]
        metrics = QFontMetrics(font)
        # Matches are heavier than what is measured here, so a little room is left.
        short = metrics.elidedText(rest, Qt.TextElideMode.ElideRight, width - XS)
        layout.setText(layout.text()[:begin] + short)
        _last_line(layout, width, lines)
        layout.draw(painter, at)

    def _line(
        self, painter: QPainter, place: QRect, text: str, align: Qt.AlignmentFlag
    ) -> None:
        shown = painter.fontMetrics().elidedText(
            " ".join(text.split()), Qt.TextElideMode.ElideRight, place.width()
        )
        painter.drawText(place, align | Qt.TextFlag.TextSingleLine, shown)


def _card(rect: QRect) -> QRect:
    """The rounded part of a row: a little apart from its neighbours."""
    return rect.adjusted(XXS, 1, -XXS, -1)


def _last_line(layout: QTextLayout, width: int, lines: int) -> int:
    """Break into the lines there is room for; says where the last of them begins."""
    layout.beginLayout()
    top, begin = 0.0, 0
    for _ in range(lines):
        line = layout.createLine()
        if not line.isValid():
            break
        line.setLineWidth(width)
        line.setPosition(QPointF(0, top))
        top, begin = top + line.height(), line.textStart()
    layout.endLayout()
    return begin


def _range(start: int, stop: int, look: QTextCharFormat) -> QTextLayout.FormatRange:
    found = QTextLayout.FormatRange()
    found.start, found.length, found.format = start, stop - start, look
    return found
