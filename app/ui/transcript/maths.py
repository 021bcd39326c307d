"""LaTeX as pictures, drawn in the other thread.

`draw` is the slow part (its first call imports ziamath, 0.2 s); `Formulas` remembers
what was drawn in which size and colour. What ziamath does not know stays source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QByteArray, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from ..background import Background
from ..palette import BODY
from ..theme import Theme
from .markdown import Formula

# STIX looks smaller than a platform's font of the same size.
_INLINE, _DISPLAYED = 1.15, 1.3
_RATIO = 2.0
_LONGEST = 2000
_KEPT = 2000


@dataclass(frozen=True)
class Picture:
    """A drawn formula: `width`, `ascent` and `descent` around its baseline."""

    image: QImage
    width: float
    ascent: float
    descent: float


_Key = tuple[Formula, float, str]


class Formulas(QObject):
    """Pictures of formulas in the theme's colour and size."""

    drawn = Signal(object)  # the Formula that was drawn or refused

    def __init__(self, theme: Theme, background: Background, parent: QObject) -> None:
        super().__init__(parent)
        self._theme, self._background = theme, background
        self._pictures: dict[_Key, Picture | None] = {}
        self._asked: set[_Key] = set()

    def known(self, formula: Formula) -> bool:
        """Whether it was drawn, or refused; if neither, it is asked for now."""
        key = self._key(formula)
        if key in self._pictures:
            return True
        if key not in self._asked:
            self._asked.add(key)
            then = partial(self._keep, key)
            self._background.run(partial(draw, *key), then)
        return False

    def picture(self, formula: Formula) -> Picture | None:
        """Its picture, None while there is none or where it stays source."""
        return self._pictures.get(self._key(formula))

    def _key(self, formula: Formula) -> _Key:
        factor = _DISPLAYED if formula.displayed else _INLINE
        return formula, self._theme.pixels(BODY) * factor, self._theme.palette.text

    def _keep(self, key: _Key, picture: object) -> None:
        self._asked.discard(key)
        if len(self._pictures) >= _KEPT:
            self._pictures.clear()
        self._pictures[key] = picture if isinstance(picture, Picture) else None
        self.drawn.emit(key[0])


def draw(formula: Formula, size: float, color: str) -> Picture | None:
    """A formula in a size in pixels, None where it is not known or not complete."""
    if len(formula.latex) > _LONGEST:
        return None
    svg = _svg(formula, size, color)
    if svg is None:
        return None
    found = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', svg)
    if not found:
        return None
    _, top, width, height = (float(number) for number in found.groups())
    if not (0 < width < 20_000 and 0 < height < 5_000):
        return None
    size_in_dots = (round(width * _RATIO), round(height * _RATIO))
    image = QImage(*size_in_dots, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer = QSvgRenderer(QByteArray(svg.encode()))
    renderer.render(painter, QRectF(0, 0, *size_in_dots))
    painter.end()
    image.setDevicePixelRatio(_RATIO)
    return Picture(image, width, -top, height + top)


def on_line(picture: Picture, x_height: float) -> tuple[QImage, float, float, bool]:
    """The picture, its width and height, and whether it stands centred in a line.

    Qt puts a picture on the baseline, or its middle at half the height of an x. What
    goes below the baseline gets space above or below, so that the latter fits.
    """
    ascent, descent = picture.ascent, picture.descent
    if descent <= 1.5:
        return picture.image, picture.width, ascent + descent, False
    above = max(0.0, descent + x_height / 2 - ascent)
    below = max(0.0, ascent - x_height / 2 - descent)
    height = picture.ascent + picture.descent + above + below
    dots = (picture.image.width(), round(height * _RATIO))
    image = QImage(*dots, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    whole = QRectF(0, above * _RATIO, picture.image.width(), picture.image.height())
    painter.drawImage(whole, picture.image)
    painter.end()
    image.setDevicePixelRatio(_RATIO)
    return image, picture.width, height, True


def _svg(formula: Formula, size: float, color: str) -> str | None:
    import latex2mathml.converter
    import latex2mathml.exceptions
    from ziamath.config import config
    from ziamath.zmath import Latex

    # Qt's SVG knows paths; it need not know symbols that are used elsewhere.
    config.svg2 = False
    own = vars(latex2mathml.exceptions).values()
    # What the two libraries were seen to raise on text that is no LaTeX.
    refusals: tuple[type[BaseException], ...] = (
        *(k for k in own if isinstance(k, type) and issubclass(k, Exception)),
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RuntimeError,
        SyntaxError,
        TypeError,
        ValueError,
    )
    try:
        words = latex2mathml.converter.convert(formula.latex)
        if re.search(r">\\[A-Za-z]", words):
            return None
        inline = not formula.displayed
        drawing = Latex(formula.latex, size=size, color=color, inline=inline)
        return drawing.svg()
    except refusals:
        return None
