"""How an attachment card looks: thumbnail, name, tokens; or why it is unreadable.

Paints into a rectangle. Knows no widget, so that fifty cards cost fifty of these.
"""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPixmap

from ..icons import pixmap
from ..palette import CARD_RADIUS, META, XS, XXS
from ..theme import Theme
from .values import CardValue, chip_text, cost_text

THUMBNAIL = 64
_GLYPH = 28


def card_size(value: CardValue, theme: Theme) -> QSize:
    """What a card needs: a column, or a row where a reason has to be read."""
    height = XXS + THUMBNAIL + XXS + 2 * _line(theme) + XXS
    if value.problem is not None:
        return QSize(2 * XS + _GLYPH + XS + theme.pixels(176), height)
    return QSize(max(THUMBNAIL + 2 * XS, theme.pixels(88)), height)


def button_corner(value: CardValue, rect: QRect) -> QPoint:
    """Where the middle of the button that removes it stands."""
    if value.problem is not None:
        return rect.topRight() - QPoint(XS, 0)
    return _place(rect).topRight()


def paint_card(painter: QPainter, value: CardValue, theme: Theme, rect: QRect) -> None:
    """Paint it in the theme's colours."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setFont(theme.font(META))
    if value.problem is not None:
        _paint_problem(painter, value, theme, rect)
        return
    place = _place(rect)
    _paint_thumbnail(painter, value, theme, place)
    _paint_chip(painter, chip_text(value), place)
    words = QRect(2, place.bottom() + 1 + XXS, rect.width() - 4, _line(theme))
    for text, color in ((value.name, "text"), (cost_text(value), "muted")):
        painter.setPen(theme.color(color))
        _write(painter, words, text, Qt.AlignmentFlag.AlignHCenter)
        words.translate(0, _line(theme))


def outline(painter: QPainter, rect: QRect, color: QColor, width: int) -> None:
    """A rounded border just inside the rectangle."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(color, width))
    half = width / 2
    edge = QRectF(rect).adjusted(half, half, -half, -half)
    painter.drawRoundedRect(edge, CARD_RADIUS, CARD_RADIUS)


def _paint_thumbnail(
    painter: QPainter, value: CardValue, theme: Theme, place: QRect
) -> None:
    rounded = QPainterPath()
    edge = QRectF(place).adjusted(0.5, 0.5, -0.5, -0.5)
    rounded.addRoundedRect(edge, CARD_RADIUS, CARD_RADIUS)
    picture = value.thumbnail
    if picture is None or picture.isNull():
        painter.fillPath(rounded, theme.color("soft"))
        # An icon is named like the kind it stands for.
        _glyph(painter, value.kind, theme.palette.accent, place)
    else:
        painter.setClipPath(rounded)
        painter.fillRect(place, theme.color("window"))
        _fill(painter, picture, place)
        painter.setClipping(False)
    painter.setPen(QPen(theme.color("border"), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(rounded)


def _paint_chip(painter: QPainter, text: str, place: QRect) -> None:
    if not text:
        return
    metrics = painter.fontMetrics()
    inset = XXS - 1
    # Words that do not fit, as at a large font, end in dots on the picture's edge.
    room = place.width() - 2 * inset - XS
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
    size = QSize(metrics.horizontalAdvance(shown) + XS, metrics.height() + 2)
    chip = QRect(QPoint(0, 0), size)
    chip.moveBottomRight(place.bottomRight() - QPoint(inset, inset))
    # Readable on a picture of any brightness, in both themes.
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 180))
    painter.drawRoundedRect(chip, XXS, XXS)
    painter.setPen(QColor("#FFFFFF"))
    painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, shown)


def _paint_problem(
    painter: QPainter, value: CardValue, theme: Theme, rect: QRect
) -> None:
    outline(painter, rect, theme.color("danger"), 1)
    inner = rect.adjusted(XS, XXS, -XS, -XXS)
    spot = QRect(inner.left(), inner.top(), _GLYPH, inner.height())
    _glyph(painter, "warning", theme.palette.danger, spot)
    words = inner.adjusted(_GLYPH + XS, 0, 0, 0)
    wrapped = Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
    metrics = painter.fontMetrics()
    reason = metrics.boundingRect(words, wrapped, value.problem or "")
    height = min(words.height(), metrics.height() + reason.height())
    words.setTop(words.center().y() - height // 2)
    painter.setPen(theme.color("text"))
    name = QRect(words.topLeft(), QSize(words.width(), metrics.height()))
    _write(painter, name, value.name, Qt.AlignmentFlag.AlignLeft)
    painter.setPen(theme.color("danger"))
    painter.drawText(words.adjusted(0, metrics.height(), 0, 0), wrapped, value.problem)


def _place(rect: QRect) -> QRect:
    """Where the thumbnail stands."""
    return QRect((rect.width() - THUMBNAIL) // 2, XXS, THUMBNAIL, THUMBNAIL)


def _line(theme: Theme) -> int:
    return theme.pixels(META) * 4 // 3


def _write(painter: QPainter, place: QRect, text: str, align: Qt.AlignmentFlag) -> None:
    """One line; the middle gives way, since names differ at their ends."""
    metrics = painter.fontMetrics()
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, place.width())
    painter.drawText(place, align | Qt.AlignmentFlag.AlignVCenter, shown)


def _glyph(painter: QPainter, name: str, color: str, place: QRect) -> None:
    spot = QRect(0, 0, _GLYPH, _GLYPH)
    spot.moveCenter(place.center())
    ratio = painter.device().devicePixelRatioF()
    painter.drawPixmap(spot.topLeft(), pixmap(name, color, _GLYPH, ratio))


def _fill(painter: QPainter, picture: QPixmap, place: QRect) -> None:
    """Draw the middle of a picture so that it fills the place."""
    side = min(picture.width(), picture.height())
    left, top = (picture.width() - side) // 2, (picture.height() - side) // 2
    painter.drawPixmap(place, picture, QRect(left, top, side, side))
