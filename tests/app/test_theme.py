"""The look reaches every widget, whenever it was made."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton

from app.models import ModelEntry
from app.ui.models_page import ModelsPage
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


def test_a_page_that_is_open_takes_every_size_of_text(qapp_theme, qapp):
    """Rows laid out by their width once made the scroll area go to and fro for ever."""
    entry = ModelEntry("/m", "x" * 90, "folder", "broken", problem="y" * 90)
    pages = []
    for scale in (1.0, 1.5, 2.0):
        qapp_theme.apply("dark", scale=scale)
        page = ModelsPage()
        page.resize(500, 520)
        page.set_entries((entry, *(replace(entry, name=f"/m/{n}") for n in range(3))))
        page.show()
        qapp.processEvents()
        qapp_theme.apply("light")
        pages.append(page)
    assert all(page.area.widget().width() <= 500 for page in pages)
