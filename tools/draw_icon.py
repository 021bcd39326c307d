"""Draws `tools/bundle/icon.icns`, the macOS bundle's icon, from the SVG beside it."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PIL import Image
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

FOLDER = Path(__file__).parent / "bundle"
SIDES = (16, 32, 64, 128, 256, 512, 1024)


def main() -> None:
    """Every size is drawn for itself: scaled down, lines would blur."""
    app = QGuiApplication([])
    drawing = QSvgRenderer(str(FOLDER / "icon.svg"))
    *smaller, largest = [drawn(drawing, side) for side in SIDES]
    largest.save(FOLDER / "icon.icns", append_images=smaller)
    app.quit()


def drawn(drawing: QSvgRenderer, side: int) -> Image.Image:
    """One size, `side` pixels wide and high."""
    image = QImage(side, side, QImage.Format.Format_RGBA8888)
    image.fill(0)
    painter = QPainter(image)
    drawing.render(painter)
    painter.end()
    return Image.frombytes("RGBA", (side, side), bytes(image.constBits()))


if __name__ == "__main__":
    main()
