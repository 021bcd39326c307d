"""The settings page, and what settings change at once."""

from __future__ import annotations

from PySide6.QtCore import QObject

from ...settings import Settings
from ..parts import Parts


class SettingsPresenter(QObject):
    """Keeps what is chosen and applies it to look and draft."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self._look: tuple[str, float] | None = None
        page = parts.window.settings
        page.changed.connect(self._choose)
        page.reset_requested.connect(parts.settings.reset)
        parts.window.sidebar.settings_requested.connect(self._show_page)
        parts.settings.changed.connect(self._apply)
        self._apply(parts.settings.settings)

    def _show_page(self) -> None:
        self._parts.window.show_page(self._parts.window.settings)

    def _choose(self, choices: dict[str, object]) -> None:
        try:
            self._parts.settings.change(**choices)
        except (TypeError, ValueError) as error:
            self._parts.window.notices.say(str(error))

    def _apply(self, settings: Settings) -> None:
        window = self._parts.window
        look = (settings.theme, settings.font_scale)
        if look != self._look:
            self._look = look
            self._parts.theme.apply(settings.theme, scale=settings.font_scale)
        window.settings.set_settings(settings)
        window.sidebar.setVisible(settings.sidebar_shown)
        window.composer.set_detail(settings.detail)
        self._parts.draft.set_settings(settings)
