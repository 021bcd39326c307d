"""The settings page: every choice with what it means, changed at once.

Shows `Settings` and emits single choices. Does not keep them.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget

from ..settings import Settings
from .page import Page, card, headed
from .palette import XS, L, M
from .settings_fields import Field, TextField
from .settings_sections import SAMPLING, sections
from .theme import set_role


class SettingsPage(Page):
    """`changed` carries a dict of the choices that are new, by their names."""

    changed = Signal(object)
    reset_requested = Signal()
    shortcuts_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Settings"), parent)
        self._settings = Settings()
        self._fields: dict[str, Field] = {}

    def build(self) -> None:
        self._fields = {}
        self.column.setSpacing(L)
        for heading, fields in sections(self):
            frame = self._section(tuple(fields))
            self.column.addLayout(headed(heading, frame, self))
        self.reset_button = QPushButton(self.tr("Reset all settings"), self)
        self.reset_button.setToolTip(self.tr("Models and conversations stay"))
        self.reset_button.clicked.connect(self.reset_requested)
        shortcuts = QPushButton(self.tr("Keyboard shortcuts"), self)
        set_role(shortcuts, "link")
        shortcuts.clicked.connect(self.shortcuts_requested)
        foot = QVBoxLayout()
        foot.setSpacing(XS)
        for button in (shortcuts, self.reset_button):
            foot.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        self.column.addLayout(foot)
        self.column.addStretch(1)
        self.set_settings(self._settings)

    def set_settings(self, settings: Settings) -> None:
        """Show these choices; nothing is said about it."""
        self._settings = settings
        if not self.is_built:
            return
        for name, field in self._fields.items():
            field.show_value(getattr(settings, name))
        for name in SAMPLING:
            self._fields[name].setEnabled(not settings.checkpoint_sampling)

    def field(self, name: str) -> Field:
        """The field of a setting."""
        self.make()
        return self._fields[name]

    def hideEvent(self, event: QHideEvent) -> None:
        self._tell_words()
        super().hideEvent(event)

    def _section(self, fields: tuple[Field, ...]) -> QFrame:
        frame, inside = card(self)
        inside.setSpacing(M)
        for field in fields:
            inside.addWidget(field)
            field.edited.connect(self._edited)
            for widget in field.focus_widgets():
                self.leave_wheel_to_page(widget)
            self._fields[field.name] = field
        return frame

    def _edited(self, name: str, value: object) -> None:
        if name == "checkpoint_sampling":
            for each in SAMPLING:
                self._fields[each].setEnabled(not value)
        self.changed.emit({name: value})

    def _tell_words(self) -> None:
        """Words typed a moment ago are told before the page goes."""
        for field in self._fields.values():
            if isinstance(field, TextField):
                field.tell()
