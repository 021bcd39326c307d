"""The header says which conversation it is, and how full the context is."""

from __future__ import annotations

import pytest

from app.models import EngineState
from app.ui.header import Header
from app.ui.theme import Theme


@pytest.fixture
def header(qapp_theme: Theme) -> Header:
    qapp_theme.apply("light")
    header = Header(qapp_theme)
    header.resize(500, 48)
    header.show()
    yield header
    header.close()
    header.deleteLater()


@pytest.mark.parametrize(
    ("used", "whole", "text"),
    [(None, 8192, ""), (0, 0, ""), (983, 8192, "12%"), (20_000, 8192, "244%")],
)
def test_the_share_of_the_context_is_shown(header, used, whole, text):
    header.set_context(used, whole)
    assert header.context.text == text
    assert bool(header.context.accessibleName()) is bool(text)
    assert not header.grab().isNull()


def test_the_exact_numbers_are_in_the_tooltip(header):
    header.set_context(983, 8192)
    assert header.context.toolTip() == "983 of 8,192 tokens of context"


def test_a_long_title_ends_in_dots_and_is_whole_in_its_tooltip(header, qapp):
    words = "Which of these receipts are from Lisbon, " * 4
    header.set_title(words)
    qapp.processEvents()
    assert header.title.text().endswith("…")
    assert header.title.toolTip() == " ".join(words.split())
    assert header.title.accessibleName() == " ".join(words.split())


def test_a_title_that_fits_needs_no_tooltip(header, qapp):
    header.set_title("Lights")
    qapp.processEvents()
    assert header.title.text() == "Lights"
    assert header.title.toolTip() == ""


def test_a_long_models_name_leaves_room_for_the_title(header, qapp):
    header.set_title("Receipt from Lisbon")
    header.set_engine(EngineState("ready", "m", title="GLM-4.5V-" + "long-" * 30))
    qapp.processEvents()
    assert header.title.width() > 150
    assert "…" in header.model.text()
    assert "long-long" in header.model.accessibleName()
