"""The look reaches every widget, whenever it was made."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton

from app.ui.theme import Theme


@pytest.mark.parametrize("kind", [QLabel, QPushButton, QLineEdit])
def test_text_has_the_themes_size_before_and_after_it_is_shown(
    qapp_theme: Theme, kind: type
):
    early = kind()
    qapp_theme.apply("light", scale=1.5)
    late = kind()
    assert early.font().pixelSize() == late.font().pixelSize() == 21
    qapp_theme.apply("light")
    assert early.font().pixelSize() == 14


def test_the_platforms_own_fonts_do_not_come_back(qapp_theme: Theme):
    qapp_theme.apply("light")
    QApplication.setFont(QFont("DejaVu Sans", 30), "QLabel")
    qapp_theme.apply("dark")
    assert QLabel().font().pixelSize() == 14
    qapp_theme.apply("light")
