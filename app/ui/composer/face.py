"""How an attachment card looks: a thumbnail over its tokens, or why it is unreadable.

Paints into a rectangle. Knows no widget, so that fifty cards cost fifty of these.
"""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
)

from ..icons import pixmap
from ..palette import CARD_RADIUS, META, XS, XXS
from ..theme import Theme
from .values import CardValue, chip_text, cost_text

THUMBNAIL = 64
# A picture is shown whole between these widths; what is slimmer or wider is cut.
_NARROWEST, _WIDEST = 40, 136
_GLYPH = 28
# Between a chip and its thumbnail's edge.
_INSET = XXS - 1
# A reason's widths, at a font scale of 1: the first in which all of it is no higher
# than a thumbnail's card; else the first, and the card is higher.
_REASONS = (176, 232)
_WIDEST_REASON = 320  # at any scale: a window of 760 pixels shows all of the card
_WRAPPED = Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap


def card_size(value: CardValue, theme: Theme) -> QSize:
    """What a card needs: a column, or a row where a reason has to be read."""
    height = XXS + THUMBNAIL + XXS + _line(theme) + XXS
    metrics = QFontMetrics(theme.font(META))
    if value.problem is not None:
        words = _reason_size(value, theme, metrics, height - 2 * XXS)
        higher = max(height, words.height() + 2 * XXS)
        return QSize(2 * XS + _GLYPH + XS + words.width(), higher)
    cost = metrics.horizontalAdvance(cost_text(value))
    return QSize(max(_picture_width(value, metrics), cost) + 2 * XXS, height)


def button_corner(value: CardValue, theme: Theme, rect: QRect) -> QPoint:
    """Where the middle of the button that removes it stands."""
    if value.problem is not None:
        return rect.topRight() - QPoint(XS, 0)
    return _place(value, QFontMetrics(theme.font(META)), rect).topRight()


def paint_card(painter: QPainter, value: CardValue, theme: Theme, rect: QRect) -> None:
    """Paint it in the theme's colours."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setFont(theme.font(META))
    if value.problem is not None:
        _paint_problem(painter, value, theme, rect)
        return
    place = _place(value, painter.fontMetrics(), rect)
    _paint_thumbnail(painter, value, theme, place)
    _paint_chip(painter, chip_text(value), place)
    words = QRect(0, place.bottom() + 1 + XXS, rect.width(), _line(theme))
    painter.setPen(theme.color("muted"))
    _write(painter, words, cost_text(value), Qt.AlignmentFlag.AlignHCenter)


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
    size = QSize(metrics.horizontalAdvance(text) + XS, metrics.height() + 2)
    chip = QRect(QPoint(0, 0), size)
    chip.moveBottomRight(place.bottomRight() - QPoint(_INSET, _INSET))
    # Readable on a picture of any brightness, in both themes.
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 180))
    painter.drawRoundedRect(chip, XXS, XXS)
    painter.setPen(QColor("#FFFFFF"))
    painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, text)


def _paint_problem(
    painter: QPainter, value: CardValue, theme: Theme, rect: QRect
) -> None:
    outline(painter, rect, theme.color("danger"), 1)
    inner = rect.adjusted(XS, XXS, -XS, -XXS)
    spot = QRect(inner.left(), inner.top(), _GLYPH, inner.height())
    _glyph(painter, "warning", theme.palette.danger, spot)
    words = inner.adjusted(_GLYPH + XS, 0, 0, 0)
    metrics, problem = painter.fontMetrics(), value.problem or ""
    reason = metrics.boundingRect(words, _WRAPPED, problem)
    above = 0 if _names_itself(value) else metrics.height()
    height = min(words.height(), above + reason.height())
    words.setTop(words.center().y() - height // 2)
    if above:
        painter.setPen(theme.color("text"))
        name = QRect(words.topLeft(), QSize(words.width(), above))
        _write(painter, name, value.name, Qt.AlignmentFlag.AlignLeft)
    painter.setPen(theme.color("danger"))
    painter.drawText(words.adjusted(0, above, 0, 0), _WRAPPED, problem)


def _names_itself(value: CardValue) -> bool:
    """Whether the reason begins with the file's name, which then needs no line."""
    return (value.problem or "").startswith(value.name)


def _reason_size(
    value: CardValue, theme: Theme, metrics: QFontMetrics, height: int
) -> QSize:
    above = 0 if _names_itself(value) else metrics.height()
    sizes = []
    for least in _REASONS:
        width = min(theme.pixels(least), _WIDEST_REASON)
        room = QRect(0, 0, width, 10_000)
        taken = metrics.boundingRect(room, _WRAPPED, value.problem or "")
        sizes.append(QSize(width, above + taken.height()))
    return next((size for size in sizes if size.height() <= height), sizes[0])


def _picture_width(value: CardValue, metrics: QFontMetrics) -> int:
    """As wide as the picture at the thumbnail's height, or as its chip wants it."""
    text = chip_text(value)
    chip = metrics.horizontalAdvance(text) + XS + 2 * _INSET if text else 0
    picture = value.thumbnail
    if picture is None or picture.isNull():
        return max(THUMBNAIL, chip)
    wanted = round(THUMBNAIL * picture.width() / picture.height())
    return min(max(wanted, _NARROWEST, chip), max(_WIDEST, chip))


def _place(value: CardValue, metrics: QFontMetrics, rect: QRect) -> QRect:
    """Where the thumbnail stands."""
    width = _picture_width(value, metrics)
    return QRect((rect.width() - width) // 2, XXS, width, THUMBNAIL)


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
    """Draw as much of the picture's middle as has the place's form: all, mostly."""
    width, height = picture.width(), picture.height()
    across = min(width, round(height * place.width() / place.height()))
    down = min(height, round(width * place.height() / place.width()))
    left, top = (width - across) // 2, (height - down) // 2
    painter.drawPixmap(place, picture, QRect(left, top, across, down))
