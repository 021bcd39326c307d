"""Every setting has a field, and a change is said once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest

from app.settings import Settings
from app.ui.settings_fields import ChoiceField, NumberField, TextField, TickField
from app.ui.settings_page import SettingsPage
from app.ui.shortcuts_page import Shortcut, ShortcutsPage

ELSEWHERE = {"last_model", "model_folders", "sidebar_shown"}


@pytest.fixture
def page(qapp_theme) -> Iterator[SettingsPage]:
    qapp_theme.apply("light")
    page = SettingsPage()
    page.resize(760, 520)
    page.show()
    yield page
    page.close()
    page.deleteLater()


@pytest.fixture
def heard(page) -> list[dict]:
    said: list[dict] = []
    page.changed.connect(said.append)
    return said


def test_every_setting_has_a_field(page):
    for each in fields(Settings):
        if each.name not in ELSEWHERE:
            assert page.field(each.name).name == each.name


def test_showing_settings_says_nothing(page, heard):
    page.set_settings(
        Settings(
            system_prompt="Be short.",
            checkpoint_sampling=False,
            temperature=1.2,
            thinking_budget=100,
            image_max_pixels=12_345,
            font_scale=1.5,
            theme="dark",
        )
    )
    assert heard == []
    temperature, pixels = page.field("temperature"), page.field("image_max_pixels")
    assert isinstance(temperature, NumberField)
    assert temperature.box.value() == pytest.approx(1.2)
    assert isinstance(pixels, ChoiceField)
    assert pixels.box.text() == "12,345"


def test_a_number_is_said_when_it_is_entered(page, heard):
    field = page.field("max_tokens")
    assert isinstance(field, NumberField)
    field.box.selectAll()
    QTest.keyClicks(field.box, "500")
    assert heard == []
    QTest.keyClick(field.box, Qt.Key.Key_Return)
    assert heard == [{"max_tokens": 500}]


def test_a_limit_is_turned_on_and_off(page, heard):
    field = page.field("thinking_budget")
    assert isinstance(field, NumberField)
    assert field.tick is not None
    assert not field.box.isEnabled()
    field.tick.click()
    field.tick.click()
    assert heard == [{"thinking_budget": 2048}, {"thinking_budget": None}]


def test_own_sampling_opens_its_fields(page, heard):
    field, temperature = page.field("checkpoint_sampling"), page.field("temperature")
    assert isinstance(field, TickField)
    assert not temperature.isEnabled()
    field.box.click()
    assert heard == [{"checkpoint_sampling": False}]
    assert temperature.isEnabled()


def test_a_choice_is_said_by_its_value(page, heard):
    field = page.field("theme")
    assert isinstance(field, ChoiceField)
    QTest.keyClick(field.box, Qt.Key.Key_Down)
    assert heard == [{"theme": "light"}]
    menu = field.box.open()
    checked = [action.text() for action in menu.actions() if action.isChecked()]
    assert checked == [field.box.text()]
    menu.actions()[2].trigger()
    assert heard[1:] == [{"theme": "dark"}]
    menu.close()


def test_words_are_said_when_typing_rests_or_the_page_goes(page, heard, wait_until):
    field = page.field("system_prompt")
    assert isinstance(field, TextField)
    QTest.keyClicks(field.edit, "Be short")
    wait_until(lambda: heard)
    assert heard == [{"system_prompt": "Be short"}]
    QTest.keyClicks(field.edit, "er")
    page.hide()
    assert heard[-1] == {"system_prompt": "Be shorter"}


def test_settings_that_come_back_leave_the_cursor_alone(page):
    field = page.field("system_prompt")
    assert isinstance(field, TextField)
    QTest.keyClicks(field.edit, "Be")
    field.tell()
    page.set_settings(replace(Settings(), system_prompt="Be"))
    assert field.edit.textCursor().position() == 2


def test_scrolling_over_a_field_changes_nothing(page, heard, qapp):
    field = page.field("font_scale")
    assert isinstance(field, ChoiceField)
    place = QPointF(5, 5)
    none, still = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    wheel = QWheelEvent(
        place,
        place,
        QPoint(),
        QPoint(0, 120),
        none,
        still,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    qapp.sendEvent(field.box, wheel)
    assert field.box.text() == "100%"
    assert heard == []


def test_reset_is_a_wish(page):
    heard: list[str] = []
    page.reset_requested.connect(lambda: heard.append("reset"))
    page.reset_button.click()
    assert heard == ["reset"]


def test_every_field_has_a_name_for_a_screen_reader(page):
    for each in fields(Settings):
        if each.name not in ELSEWHERE:
            for widget in page.field(each.name).focus_widgets():
                assert widget.accessibleName() or widget.text()


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_nothing_is_wider_than_a_narrow_window(qapp_theme, qapp, scale):
    qapp_theme.apply("dark", scale=scale)
    pages = SettingsPage(), ShortcutsPage([Shortcut("All", "long words " * 9, "Up")])
    for page in pages:
        page.resize(500, 520)  # 760 with the sidebar open
        page.show()
        qapp.processEvents()
        assert page.area.horizontalScrollBar().maximum() == 0
        # Made at one size and shown in another, as where the size is chosen.
        qapp_theme.apply("dark", scale=3.0 - scale)
        qapp.processEvents()
        assert page.area.horizontalScrollBar().maximum() == 0
        qapp_theme.apply("dark", scale=scale)
        page.close()
    qapp_theme.apply("light")


@pytest.mark.usefixtures("qapp_theme")
def test_shortcuts_stand_in_groups():
    page = ShortcutsPage(
        [
            Shortcut("Writing", "Send", "Return"),
            Shortcut("Window", "Hide the list", "Ctrl+B"),
            Shortcut("Writing", "Think first", "Ctrl+T"),
        ]
    )
    assert not page.is_built
    page.show()
    assert page.column.count() == 3  # two groups, and what is left of the height
    page.close()


@pytest.mark.usefixtures("qapp_theme")
def test_a_page_is_made_when_it_is_first_shown():
    page = SettingsPage()
    page.set_settings(Settings(max_tokens=321))
    assert not page.is_built
    page.show()
    field = page.field("max_tokens")
    assert isinstance(field, NumberField)
    assert field.box.value() == 321
    page.close()


def test_a_page_that_was_left_has_no_widgets_and_comes_back_as_it_was(page, wait_until):
    page.set_settings(Settings(max_tokens=321))
    page.hide()
    wait_until(lambda: not page.is_built)
    page.set_settings(Settings(max_tokens=654))
    page.show()
    field = page.field("max_tokens")
    assert isinstance(field, NumberField)
    assert field.box.value() == 654


def test_fields_grow_with_the_text(page, qapp_theme, qapp):
    field = page.field("theme")
    assert isinstance(field, ChoiceField)
    before = field.box.maximumWidth()
    qapp_theme.apply("light", scale=2.0)
    qapp.processEvents()
    assert field.box.maximumWidth() > 1.8 * before
    qapp_theme.apply("light")
