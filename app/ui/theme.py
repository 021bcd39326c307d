"""The look in force: a palette, a font scale, the style sheet made of them.

`Theme` is the one owner. Widgets take colours from the style sheet through their
`role` property ("muted", "primary", ...; see `sheet`), and what paints itself asks the
theme and repaints on `changed`.
"""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from .palette import BODY, CODE, DARK, LIGHT, MONOSPACED, Palette
from .sheet import style_sheet


class Theme(QObject):
    """Colours and sizes as they are now; `changed` when they become others."""

    changed = Signal()

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app = app
        self._choice = "system"
        self._scale = 1.0
        self._palette = LIGHT
        # At 100 % once, so that scaling does not add up.
        self._family = app.font()
        app.styleHints().colorSchemeChanged.connect(self._follow_system)

    @property
    def palette(self) -> Palette:
        """The colours in force."""
        return self._palette

    @property
    def scale(self) -> float:
        """The factor on every text."""
        return self._scale

    def color(self, role: str) -> QColor:
        """A palette's entry by its name, for painting."""
        return QColor(getattr(self._palette, role))

    def pixels(self, size: int) -> int:
        """A text size at the scale in force."""
        return round(size * self._scale)

    def font(self, size: int = BODY, *, bold: bool = False) -> QFont:
        """The platform's font in a size of `palette`."""
        font = QFont(self._family)
        font.setPixelSize(self.pixels(size))
        if bold:
            font.setWeight(QFont.Weight.DemiBold)
        return font

    def code_font(self) -> QFont:
        """The monospaced font."""
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setFamilies(list(MONOSPACED))
        font.setPixelSize(self.pixels(CODE))
        return font

    def apply(self, choice: str, *, scale: float = 1.0) -> None:
        """Take on a look: "system", "light" or "dark", and a font scale."""
        self._choice, self._scale = choice, scale
        self._palette = self._chosen()
        colors = self._palette
        palette = QPalette()
        roles = QPalette.ColorRole
        for role, name in (
            (roles.Window, colors.window),
            (roles.Base, colors.window),
            (roles.AlternateBase, colors.raised),
            (roles.Button, colors.raised),
            (roles.WindowText, colors.text),
            (roles.Text, colors.text),
            (roles.ButtonText, colors.text),
            (roles.ToolTipBase, colors.raised),
            (roles.ToolTipText, colors.text),
            (roles.PlaceholderText, colors.muted),
            (roles.Link, colors.accent),
            (roles.Highlight, colors.accent),
            (roles.HighlightedText, colors.accent_text),
            (roles.Accent, colors.accent),
        ):
            palette.setColor(role, QColor(name))
        disabled = QPalette.ColorGroup.Disabled
        for role in (roles.WindowText, roles.Text, roles.ButtonText):
            palette.setColor(disabled, role, QColor(colors.muted))
        # One sheet after another takes Qt four times as long as none in between.
        self._app.setStyleSheet("")
        self._app.setPalette(palette)
        self._set_font()
        self._app.setStyleSheet(style_sheet(colors, scale))
        self.changed.emit()

    def _set_font(self) -> None:
        """The font of all text that no rule of the sheet is about."""
        font = self.font()
        same = font == self._app.font()
        # Even the same: it takes the platform's own fonts of labels and buttons away.
        self._app.setFont(font)
        if same:
            return
        # Before the application runs, Qt tells no widget.
        for widget in self._app.allWidgets():
            change = QEvent(QEvent.Type.ApplicationFontChange)
            QCoreApplication.sendEvent(widget, change)

    def _chosen(self) -> Palette:
        if self._choice == "system":
            scheme = QGuiApplication.styleHints().colorScheme()
            return DARK if scheme == Qt.ColorScheme.Dark else LIGHT
        return DARK if self._choice == "dark" else LIGHT

    def _follow_system(self) -> None:
        if self._choice == "system" and self._chosen() != self._palette:
            self.apply("system", scale=self._scale)
        else:
            self._set_font()


def set_role(widget: QWidget, role: str) -> None:
    """Give a widget the look of a role of the style sheet, or another than it had."""
    if widget.property("role") == role:
        return
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
