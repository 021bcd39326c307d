"""Line icons, drawn from path data in the colour that the place wants.

Each is a 24 x 24 drawing of one stroke width, made for this app. Pixmaps are kept by
name, colour, size and the screen's ratio.
"""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton

_PATHS = {
    "plus": "M12 5v14M5 12h14",
    "minus": "M5 12h14",
    "close": "M6 6l12 12M18 6L6 18",
    "search": "M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13M15.5 15.5L20 20",
    "sidebar": "M4 5h16v14H4zM9.5 5v14",
    "new": "M12 4H5v15h15v-7M18 3.5l2.5 2.5L12 14.500l-3.500 1 1-3.500z",
    "send": "M12 19V5M6 11l6-6 6 6",
    "stop": "M7 7h10v10H7z",
    "bulb": "M9 18h6M10 21h4M12 3a6 6 0 0 0-3.500 10.900V16h7v-2.100A6 6 0 0 0 12 3",
    "region": "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M9 9h6v6H9z",
    "copy": "M9 9h10v11H9zM5 15V4h10",
    "again": "M19 12a7 7 0 1 1-2.200-5.100M19 4v4h-4",
    "edit": "M4 20l1-4L16.500 4.500l3 3L8 19z",
    "trash": "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5",
    "pin": "M9 4h6l-1 6 3 3H7l3-3zM12 13v7",
    "more": "M5.500 12h1M11.500 12h1M17.500 12h1",
    "left": "M14 6l-6 6 6 6",
    "right": "M10 6l6 6-6 6",
    "down": "M6 10l6 6 6-6",
    "up": "M6 14l6-6 6 6",
    "check": "M5 13l4 4L19 7",
    "gear": (
        "M12 9a3 3 0 1 0 0 6a3 3 0 1 0 0-6M12 3v3M12 18v3M3 12h3M18 12h3"
        "M5.600 5.600l2.100 2.100M16.300 16.300l2.100 2.100"
        "M5.600 18.400l2.100-2.100M16.300 7.700l2.100-2.100"
    ),
    "model": "M12 3l8 4.500v9L12 21l-8-4.500v-9zM4 7.500l8 4.500 8-4.500M12 12v9",
    "keyboard": "M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8",
    "image": "M4 5h16v14H4zM4 16l5-5 4 4 2-2 5 4M15.500 9h.01",
    "images": "M8 8V4h13v12h-4M3 8h14v12H3zM3 17l4-4 3 3 2-2 5 4",
    "video": "M4 6h11v12H4zM15 10.500l5-3v9l-5-3z",
    "document": "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
    "download": "M12 4v11M7 10.500l5 5 5-5M5 20h14",
    "pause": "M9 6v12M15 6v12",
    "play": "M8 5l11 7-11 7z",
    "folder": "M3 6h6l2 2h10v11H3z",
    "save": "M12 4v10M8 10l4 4 4-4M5 19h14",
    "warning": "M12 4l9 16H3zM12 10v4M12 17h.01",
    "enlarge": "M14 4h6v6M10 20H4v-6M20 4l-7 7M4 20l7-7",
    "export": "M12 15V4M8 8l4-4 4 4M5 13v7h14v-7",
    "undo": "M8 6L4 10l4 4M4 10h10a5 5 0 0 1 0 10h-3",
    "power": "M12 4v8M7 7a7 7 0 1 0 10 0",
    "link": (
        "M10 14l4-4M9 11l-2 2a3.500 3.500 0 0 0 5 5l2-2"
        "M15 13l2-2a3.500 3.500 0 0 0-5-5l-2 2"
    ),
    "log": "M5 6h14M5 10h14M5 14h9M5 18h6",
}
_FILLED = {"stop", "play"}
# Between an icon and words; the style adds as much.
_ROOM = 4


def icon(name: str, color: str, size: int = 20) -> QIcon:
    """An icon by its name, in a colour as #RRGGBB. Raises KeyError for another name."""
    result = QIcon()
    for ratio in (1.0, 2.0):
        result.addPixmap(pixmap(name, color, size, ratio))
    return result


def dress(button: QAbstractButton, name: str, color: str, size: int) -> None:
    """Give a button an icon, with a little room before the words that follow it."""
    if button.text():
        button.setIcon(_before_words(name, color, size))
        button.setIconSize(QSize(size + _ROOM, size))
    else:
        button.setIcon(icon(name, color, size))
        button.setIconSize(QSize(size, size))


def _before_words(name: str, color: str, size: int) -> QIcon:
    result = QIcon()
    for ratio in (1.0, 2.0):
        picture = QPixmap(round((size + _ROOM) * ratio), round(size * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.drawPixmap(0, 0, pixmap(name, color, size, ratio))
        painter.end()
        result.addPixmap(picture)
    return result


@cache
def pixmap(name: str, color: str, size: int, ratio: float = 1.0) -> QPixmap:
    """The same as a picture of `size` device-independent pixels."""
    fill = color if name in _FILLED else "none"
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">'
        f'<path d="{_PATHS[name]}" fill="{fill}" stroke="{color}" stroke-width="1.8" '
        'stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )
    side = round(size * ratio)
    picture = QPixmap(side, side)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, side, side))
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture


def names() -> tuple[str, ...]:
    """Every icon there is."""
    return tuple(_PATHS)
