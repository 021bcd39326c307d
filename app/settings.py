"""What a person has chosen, typed, kept by QSettings.

Knows names, types, defaults and ranges. Does not know who uses them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from PySide6.QtCore import QObject, QSettings, Signal

Theme = Literal["system", "light", "dark"]
Detail = Literal["low", "normal", "high"]


@dataclass(frozen=True)
class Settings:
    """Every choice with its default. None means the checkpoint's own value.

    `max_tokens` counts thinking and answer; `thinking_budget` None is no limit.
    `image_max_pixels` and `video_max_pixels` lower the checkpoint's budgets. `detail`
    is what new attachments start with. `font_scale` is a factor on every text.
    """

    system_prompt: str = ""
    checkpoint_sampling: bool = True
    temperature: float = 0.8
    top_p: float = 0.6
    top_k: int = 2
    repetition_penalty: float = 1.0
    max_tokens: int = 8192
    thinking_budget: int | None = None
    context: int | None = None
    image_max_pixels: int | None = None
    video_max_pixels: int | None = None
    video_fps: float | None = None
    detail: Detail = "normal"
    theme: Theme = "system"
    font_scale: float = 1.0
    last_model: str = "demo"
    load_last_model: bool = True
    model_folders: tuple[str, ...] = ()
    sidebar_shown: bool = True


# Least and most of what has a range.
RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "top_k": (0, 1000),
    "repetition_penalty": (1.0, 2.0),
    "max_tokens": (1, 131_072),
    "thinking_budget": (0, 131_072),
    "context": (1024, 131_072),
    "image_max_pixels": (12_544, 9_633_792),
    "video_max_pixels": (12_544, 47_040_000),
    "video_fps": (0.1, 30.0),
    "font_scale": (0.8, 2.0),
}
_CHOICES = {"theme": get_args(Theme), "detail": get_args(Detail)}
_KINDS = {field.name: str(field.type) for field in fields(Settings)}


class SettingsKeeper(QObject):
    """The one owner of the settings: reads them once, writes every change at once."""

    changed = Signal(object)  # Settings

    def __init__(self, storage: QSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._storage = storage
        self._settings = _read(storage)

    @property
    def settings(self) -> Settings:
        """The choices now."""
        return self._settings

    def change(self, **choices: Any) -> None:
        """Replace single choices; says `changed` when something did.

        Raises:
            TypeError: there is no such setting.
            ValueError: a value is outside its range.
        """
        settings = replace(self._settings, **choices)
        for name in choices:
            _check(name, getattr(settings, name))
        if settings == self._settings:
            return
        self._settings = settings
        for name in choices:
            self._storage.setValue(name, _stored(getattr(settings, name)))
        self._storage.sync()
        self.changed.emit(settings)

    def reset(self) -> None:
        """Every choice back to its default, but for the models a person named."""
        kept = {"last_model", "model_folders", "sidebar_shown"}
        defaults = {f.name: f.default for f in fields(Settings) if f.name not in kept}
        self.change(**defaults)


def _read(storage: QSettings) -> Settings:
    """What is stored, the default where a value is missing or makes no sense."""
    found: dict[str, Any] = {}
    for field in fields(Settings):
        stored = storage.value(field.name)
        if stored is None:
            continue
        try:
            value = _restored(stored, str(field.type))
            _check(field.name, value)
        except (TypeError, ValueError):
            continue
        found[field.name] = value
    return Settings(**found)


def _stored(value: Any) -> Any:
    """QSettings keeps None badly and its lists of one become words."""
    if value is None:
        return ""
    return "\n".join(value) if isinstance(value, tuple) else value


def _restored(stored: Any, kind: str) -> Any:
    """A stored word as its field's type; "" is None where that may be."""
    if isinstance(stored, list):
        raise TypeError("a comma in a file edited by hand makes a list")
    if kind.endswith("| None") and stored == "":
        return None
    if kind == "bool":
        return stored in (True, "true", "1")
    if kind.startswith("tuple"):
        return tuple(line for line in str(stored).split("\n") if line)
    if kind.startswith("int"):
        return int(stored)
    return float(stored) if kind.startswith("float") else str(stored)


def _check(name: str, value: Any) -> None:
    kind = _KINDS[name]
    if value is None:
        if not kind.endswith("| None"):
            raise ValueError(f"{name} cannot be empty")
        return
    if name in RANGES:
        least, most = RANGES[name]
        if not least <= value <= most:
            raise ValueError(f"{name} is {value}, from {least} to {most} are possible")
        if kind.startswith("int") and value != int(value):
            raise ValueError(f"{name} is {value}, whole numbers are possible")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"{name} is {value!r}, known are {', '.join(_CHOICES[name])}")
