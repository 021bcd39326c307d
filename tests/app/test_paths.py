from pathlib import Path

from app import paths


def test_a_named_folder_is_made_and_holds_settings_and_log(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.ENVIRONMENT, str(tmp_path / "a" / "b"))
    assert paths.data_folder() == tmp_path / "a" / "b"
    assert paths.data_folder().is_dir()
    assert paths.settings_file().parent == paths.log_file().parent == tmp_path / "a/b"


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(paths.ENVIRONMENT, "~/chats")
    assert paths.data_folder() == tmp_path / "chats"


def test_without_a_name_it_is_the_platforms_folder(tmp_path, monkeypatch):
    monkeypatch.delenv(paths.ENVIRONMENT, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert paths.data_folder().name == paths.APP_NAME
    assert tmp_path in Path(paths.data_folder()).parents
