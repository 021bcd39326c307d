"""The settings page: every choice with what it means, changed at once.

Shows `Settings` and emits single choices. Does not keep them.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from ..settings import Settings
from .page import Page, card
from .palette import M
from .settings_fields import Field, TextField
from .settings_sections import SAMPLING, sections
from .theme import set_role


class SettingsPage(Page):
    """`changed` carries a dict of the choices that are new, by their names."""

    changed = Signal(object)
    reset_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Settings"), parent)
        self._fields: dict[str, Field] = {}
        for heading, fields in sections(self):
            self._add_section(heading, tuple(fields))
        self.reset_button = QPushButton(self.tr("Everything back to the start"), self)
        self.reset_button.setToolTip(self.tr("Models and conversations stay"))
        self.reset_button.clicked.connect(self.reset_requested)
        self.column.addWidget(self.reset_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.column.addStretch(1)
        self.set_settings(Settings())

    def set_settings(self, settings: Settings) -> None:
        """Show these choices; nothing is said about it."""
        for name, field in self._fields.items():
            field.show_value(getattr(settings, name))
        for name in SAMPLING:
            self._fields[name].setEnabled(not settings.checkpoint_sampling)

    def field(self, name: str) -> Field:
        """The field of a setting."""
        return self._fields[name]

    def hideEvent(self, event: QHideEvent) -> None:
        self._tell_words()
        super().hideEvent(event)

    def _add_section(self, heading: str, fields: tuple[Field, ...]) -> None:
        title = QLabel(heading, self)
        set_role(title, "section")
        self.column.addWidget(title)
        frame, inside = card(self)
        inside.setSpacing(M)
        for field in fields:
            inside.addWidget(field)
            field.edited.connect(self._edited)
            for widget in field.focus_widgets():
                self.leave_wheel_to_page(widget)
            self._fields[field.name] = field
        self.column.addWidget(frame)

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
