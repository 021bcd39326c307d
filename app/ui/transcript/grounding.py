"""A picture with the boxes that an answer drew on it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QMenu, QWidget

from ...conversation import Box
from ..palette import CARD_RADIUS, META, XXS
from .shared import Shared

_TALLEST = 420
_FILL = 0.12
_OTHERS = 1 / 3
_LINE = 2


class BoxPicture(QWidget):
    """All boxes of one picture. The numbers are those of the answer's boxes."""

    hovered = Signal(int)  # -1 for none
    grew = Signal()

    def __init__(
        self, boxes: tuple[tuple[int, Box], ...], shared: Shared, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._boxes, self._shared = boxes, shared
        self._lit = -1
        self._picture: QPixmap | None = None
        self._scaled: QPixmap | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        names = ", ".join(box.label for _, box in boxes if box.label)
        self.setAccessibleName(self.tr("Picture with boxes: {}").format(names))
        self.reload()

    @property
    def boxes(self) -> tuple[Box, ...]:
        """What is drawn."""
        return tuple(box for _, box in self._boxes)

    @property
    def lit(self) -> int:
        """The number of the box at full strength, -1 where all are."""
        return self._lit

    def reload(self) -> None:
        """Ask for the picture, which may not have been there before."""
        first = self._boxes[0][1]
        self._picture = self._shared.pictures(first.digest, first.page)
        self._scaled = None
        self.update()

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        self.update()

    def light(self, number: int) -> None:
        """Show one box at full strength and the others at a third; -1 for all."""
        if number != self._lit:
            self._lit = number
            self.update()

    def height_for(self, width: int) -> int:
        """The picture's height in a column of this width."""
        return round(self._frame(width).height())

    def sizeHint(self) -> QSize:
        return self._frame(max(self.width(), 1)).size().toSize()

    def box_rect(self, number: int) -> QRectF:
        """Where a box stands in this widget."""
        box = dict(self._boxes)[number]
        frame = self._frame(self.width())
        across, down = frame.width() / box.width, frame.height() / box.height
        corner = QPointF(box.left * across, box.top * down)
        return QRectF(corner, QPointF(box.right * across, box.bottom * down))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        frame = self._frame(self.width())
        painter.save()
        shape = QPainterPath()
        shape.addRoundedRect(frame, CARD_RADIUS, CARD_RADIUS)
        painter.setClipPath(shape)
        self._paint_picture(painter, frame)
        painter.restore()
        # The lit one is on top.
        numbers = sorted((number for number, _ in self._boxes), key=self._lit.__eq__)
        # Names last: no box's line goes through a word.
        for paint in (self._paint_box, self._paint_name):
            for number in numbers:
                strong = self._lit < 0 or self._lit == number
                painter.setOpacity(1.0 if strong else _OTHERS)
                paint(painter, number)
        painter.setOpacity(1.0)
        if self.hasFocus():
            painter.setPen(QPen(self._shared.theme.color("accent"), _LINE))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame.adjusted(1, 1, -1, -1), CARD_RADIUS, 8)
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self._box_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Right go from box to box."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        numbers = [number for number, _ in self._boxes]
        at = numbers.index(self._lit) + step if self._lit in numbers else 0
        self._hover(numbers[at % len(numbers)])

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def menu(self) -> QMenu:
        """What can be done with the lit box and with all."""
        menu = QMenu(self)
        chosen = dict(self._boxes).get(self._lit)
        if chosen is not None:
            act = menu.addAction(self.tr("Copy this box's coordinates"))
            act.triggered.connect(lambda: self._copy((chosen,)))
        act = menu.addAction(self.tr("Copy all coordinates"))
        act.triggered.connect(lambda: self._copy(self.boxes))
        act = menu.addAction(self.tr("Save the picture with its boxes…"))
        act.triggered.connect(self._save)
        return menu

    def _copy(self, boxes: tuple[Box, ...]) -> None:
        lines = (
            f"{box.label}{': ' if box.label else ''}"
            f"[{box.left}, {box.top}, {box.right}, {box.bottom}]"
            for box in boxes
        )
        self._shared.wishes.copy.emit("\n".join(lines))

    def _save(self) -> None:
        first = self._boxes[0][1]
        self._shared.wishes.save_picture.emit(first.digest, first.page, self.boxes)

    def _hover(self, number: int) -> None:
        if number != self._lit:
            self.hovered.emit(number)

    def _box_at(self, point: QPointF) -> int:
        """The smallest box there, since it may lie in a larger one."""
        under = [n for n, _ in self._boxes if self.box_rect(n).contains(point)]
        area = {n: self.box_rect(n).width() * self.box_rect(n).height() for n in under}
        return min(under, key=area.__getitem__, default=-1)

    def _frame(self, width: int) -> QRectF:
        box = self._boxes[0][1]
        factor = min(width / box.width, _TALLEST / box.height)
        # A small picture is enlarged a little, so that its labels have room.
        factor = min(factor, max(1.0, 320 / box.width))
        return QRectF(0, 0, box.width * factor, max(box.height * factor, 1))

    def _paint_picture(self, painter: QPainter, frame: QRectF) -> None:
        if self._picture is None or self._picture.isNull():
            painter.fillRect(frame, self._shared.theme.color("raised"))
            return
        wanted = (frame.size() * self.devicePixelRatioF()).toSize()
        if self._scaled is None or self._scaled.size() != wanted:
            smooth = Qt.TransformationMode.SmoothTransformation
            ignore = Qt.AspectRatioMode.IgnoreAspectRatio
            self._scaled = self._picture.scaled(wanted, ignore, smooth)
        painter.drawPixmap(frame, self._scaled, QRectF(self._scaled.rect()))

    def _paint_box(self, painter: QPainter, number: int) -> None:
        accent = self._shared.theme.color("accent")
        fill = QColor(accent)
        fill.setAlphaF(_FILL)
        painter.setPen(QPen(accent, _LINE))
        painter.setBrush(fill)
        painter.drawRect(self.box_rect(number))

    def _paint_name(self, painter: QPainter, number: int) -> None:
        theme, box = self._shared.theme, dict(self._boxes)[number]
        if not box.label:
            return
        rect = self.box_rect(number)
        font = theme.font(META, bold=True)
        measure = QFontMetricsF(font)
        frame = self._frame(self.width())
        most = frame.width() - 4 * XXS
        words = measure.elidedText(box.label, Qt.TextElideMode.ElideRight, most)
        chip = QRectF(0, 0, measure.horizontalAdvance(words) + 2 * XXS + 4, 0)
        chip.setHeight(measure.height() + XXS)
        # Above the box, inside it where the picture ends.
        chip.moveBottomLeft(QPointF(rect.left() - 1, rect.top() + 1))
        if chip.top() < 0:
            chip.moveTop(rect.top() - 1)
        chip.moveLeft(max(0.0, min(chip.left(), frame.width() - chip.width())))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent"))
        painter.drawRoundedRect(chip, XXS, XXS)
        painter.setFont(font)
        painter.setPen(theme.color("accent_text"))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, words)
