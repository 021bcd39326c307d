"""Settings through a real INI file, as a restart reads them."""

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QSettings

from app.settings import RANGES, Settings, SettingsKeeper


def keeper_on(path: Path) -> SettingsKeeper:
    return SettingsKeeper(QSettings(str(path), QSettings.Format.IniFormat))


CHANGES = [
    {"thinking_budget": 512, "context": 65_536},
    {"video_fps": 1.0},
    {"video_fps": 0.5, "image_max_pixels": 12_544},
    {"temperature": 0.0, "top_p": 0.95, "font_scale": 1.25},
    {"model_folders": ("/models/one",)},
    {"model_folders": ("/models/a, b", "/models/ü=1; %20 @x")},
    {"system_prompt": 'Be brief, "please";\n@list(1)\n\\end = 好'},
    {"checkpoint_sampling": False, "load_last_model": False},
    {"theme": "dark", "detail": "high", "last_model": "org/model"},
]


@pytest.mark.parametrize("choices", CHANGES)
def test_choices_survive_a_restart_with_their_types(tmp_path, choices):
    keeper_on(tmp_path / "s.ini").change(**choices)
    again = keeper_on(tmp_path / "s.ini").settings
    assert again == Settings(**choices)
    for name, value in choices.items():
        assert type(getattr(again, name)) is type(value)


def test_none_and_an_empty_tuple_survive_after_a_value(tmp_path):
    keeper = keeper_on(tmp_path / "s.ini")
    keeper.change(thinking_budget=5, video_fps=2.0, model_folders=("/a",))
    keeper.change(thinking_budget=None, video_fps=None, model_folders=())
    assert keeper_on(tmp_path / "s.ini").settings == Settings()


@settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n")))
def test_any_system_prompt_survives(tmp_path, prompt):
    keeper_on(tmp_path / "s.ini").change(system_prompt=prompt)
    assert keeper_on(tmp_path / "s.ini").settings.system_prompt == prompt


@pytest.mark.parametrize("name", RANGES)
def test_what_is_outside_its_range_is_refused_and_nothing_changes(tmp_path, name):
    keeper = keeper_on(tmp_path / "s.ini")
    least, most = RANGES[name]
    for value in (least - 1, most + 1, float("nan")):
        with pytest.raises(ValueError, match=name):
            keeper.change(**{name: value})
    assert keeper.settings == Settings()


@pytest.mark.parametrize(
    "choice", [{"max_tokens": None}, {"top_k": 2.5}, {"theme": "pink"}]
)
def test_what_makes_no_sense_is_refused(tmp_path, choice):
    with pytest.raises(ValueError, match=next(iter(choice))):
        keeper_on(tmp_path / "s.ini").change(**choice)


def test_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(TypeError):
        keeper_on(tmp_path / "s.ini").change(colour="red")


def test_a_file_edited_badly_gives_defaults_for_what_makes_no_sense(tmp_path):
    path = tmp_path / "s.ini"
    path.write_text(
        "[General]\ntemperature=hot\ntop_k=2.7\ntheme=pink\nlast_model=a,b\n"
        "context=1\nthinking_budget=inf\nmax_tokens=\nfont_scale=1.5\n"
    )
    assert keeper_on(path).settings == Settings(font_scale=1.5)


def test_a_change_is_said_once_and_only_when_something_changed(tmp_path):
    keeper = keeper_on(tmp_path / "s.ini")
    said = []
    keeper.changed.connect(said.append)
    keeper.change(top_k=7, theme="dark")
    keeper.change(top_k=7)
    assert said == [Settings(top_k=7, theme="dark")]


def test_reset_keeps_the_models_a_person_named(tmp_path):
    keeper = keeper_on(tmp_path / "s.ini")
    keeper.change(top_k=7, video_fps=3.0, last_model="x", model_folders=("/a",))
    keeper.reset()
    expected = Settings(last_model="x", model_folders=("/a",))
    assert keeper_on(tmp_path / "s.ini").settings == expected


def test_every_range_belongs_to_a_setting():
    assert set(RANGES) <= {field.name for field in fields(Settings)}
