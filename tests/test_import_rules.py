"""Who may import whom: every import statement is read and held against a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.import_walk import Room, absolute_imports, room, violations

ROOT = Path(__file__).parents[1]
HUB = {"huggingface_hub", "httpx2"}
PIXELS = {"numpy", "PIL", "pillow_heif", "av", "pypdfium2"}
VALUES = {"errors", "config", "messages", "progress", "tool_calls"}
FILES = {*VALUES, "safetensors_header", "shards", "checkpoints", "hub"}

# The longest path that fits a file decides.
LIBRARY: dict[str, Room] = {
    "errors": room(),
    "progress": room(),
    "messages": room({"errors"}),
    "config": room({"errors"}),
    "tool_calls": room(VALUES),
    "safetensors_header": room(VALUES),
    "shards": room({*VALUES, "safetensors_header"}),
    "hub": room(VALUES, HUB),
    "checkpoints": room({*VALUES, "safetensors_header", "shards", "hub"}),
    "matching": room({*FILES, "model.weights"}),
    "reading": room({*FILES, "matching", "model.weights"}, {"mlx"}),
    "parameters": room({"errors", "config", "model.weights"}),
    "memory": room({*FILES, "model.weights", "parameters"}, {"mlx"}),
    "media": room({"errors", "messages"}, PIXELS),
    "media.fetch": room({"errors"}, {"truststore"}),
    "processing": room(
        {"errors", "messages", "media"}, {"numpy", "PIL", "tokenizers", "jinja2"}
    ),
    "model": room(
        {"errors", "config"},
        {
            "mlx",
            "mlx_lm.models.base",
            "mlx_lm.models.cache",
            "mlx_lm.models.switch_layers",
            "mlx_lm.models.rope_utils",
        },
    ),
    "model.weights": room(),
    "offload": room(
        {*FILES, "matching", "model", "memory"},
        {"mlx", "numpy"},
    ),
    "offload.slots": room(),
    "offload.passes": room(),
    "offload.profile": room({"errors"}),
    "generation": room(
        {"errors", "config", "model", "processing.prompt"},
        {"mlx", "numpy", "mlx_lm.models.cache", "mlx_lm.sample_utils"},
    ),
    "conversion": room(
        {*FILES, "matching", "memory", "model.weights", "parameters"},
        {"mlx", "numpy"},
    ),
    # Asks the Hub where its cache lies.
    "conversion.dry_run": room({*FILES, "memory", "conversion", "parameters"}, HUB),
    # The converter's command line, and its one answer of the converted model.
    "conversion.command": room({"*"}),
    "conversion.trial": room({*VALUES, "chat", "loading"}),
    "demo": room({"errors"}, {"numpy", "PIL"}),
    # The gallery asks the demo as anybody would, and shows it as the command line does.
    "demo.gallery": room({"cli.drawing", "cli.interrupts", "cli.terminal"}),
    "demo.__main__": room(
        {"errors", "cli.statuses", "cli.terminal", "demo.gallery"},
    ),
    "loading": room({"*"}, {"mlx"}),
    "replies": room({*VALUES, "generation", "processing.prompt"}),
    "prompting": room({"*"}),
    "batch": room({"*"}, {"mlx"}),
    "answering": room({"*"}),
    "turn": room({*VALUES, "generation", "processing.prompt", "replies"}),
    "chat": room({"*"}, {"numpy"}),
    "generate": room({"*"}, {"mlx", "numpy", "PIL", "tqdm"}),
    "cli": room({"*"}, {"mlx", "numpy", "PIL", "tqdm"}),
    "": room({"*"}),
}


# The desktop app. Its window knows neither the library nor what a child process runs,
# its child processes no Qt; widgets know values, and only `control` all of them.
CORE, WIDGETS = {"PySide6.QtCore"}, {"PySide6"}
BESIDE = {"mlx_glm45v"}
JOBS = {f"workers.{kind}_job" for kind in ("media", "models", "download", "convert")}
GROUND = {
    f"ui.{name}"
    for name in ("announce", "background", "icons", "palette", "theme", "words")
}
APP: dict[str, Room] = {
    "conversation": room(),
    "models": room(),
    # Qt's standard folders, where nothing else names one.
    "paths": room(set(), CORE),
    "settings": room(set(), CORE),
    "faults": room({"paths"}, CORE),
    "garbage": room(set(), CORE),
    "processes": room(),
    "processes.child": room(),
    "processes.link": room({"paths", "processes.child"}, CORE),
    # What both ends of the model's process speak, then its own end, then the window's.
    "engine": room(),
    "engine.plain": room(),
    "engine.protocol": room({"conversation", "engine.plain"}),
    "engine.wishes": room({"engine.plain", "engine.protocol"}),
    "engine.answering": room(
        {"conversation", "engine.protocol", "engine.wishes"}, {*BESIDE, "mlx"}
    ),
    "engine.process": room(
        {
            "processes.child",
            "engine.plain",
            "engine.protocol",
            "engine.wishes",
            "engine.answering",
        },
        {*BESIDE, "mlx"},
    ),
    "engine.states": room({"models", "engine.protocol"}),
    "engine.endings": room({"processes.link"}, CORE),
    "engine.client": room(
        {
            "conversation",
            "models",
            "processes.link",
            "engine.plain",
            "engine.protocol",
            "engine.states",
            "engine.endings",
        },
        CORE,
    ),
    # The same of the workers.
    "workers": room(),
    "workers.values": room({"conversation"}),
    "workers.known": room(),
    "workers.reporting": room({"processes.child"}),
    "workers.media_job": room({"processes.child"}, BESIDE),
    "workers.models_job": room({"processes.child", "models", "workers.known"}, BESIDE),
    "workers.download_job": room({"processes.child", "workers.reporting"}, BESIDE),
    "workers.convert_job": room({"processes.child", "workers.reporting"}, BESIDE),
    "workers.process": room({"processes.child", *JOBS}),
    "workers.rate": room(),
    "workers.remembered": room(),
    "workers.child": room({"processes.link"}, CORE),
    "workers.media": room({"processes.link", "workers.child", "workers.values"}, CORE),
    "workers.catalogue": room({"processes.link", "models", "workers.child"}, CORE),
    "workers.transfers": room(
        {"models", "workers.child", "workers.rate", "workers.remembered"}, CORE
    ),
    "store": room({"conversation"}),
    "ui": room({"conversation", "models", "settings"}, {*WIDGETS, "shiboken6"}),
    # The window's parts do not know each other.
    "ui.composer": room({"conversation", *GROUND, "ui.meter"}, WIDGETS),
    "ui.sidebar": room({"conversation", "models", *GROUND}, WIDGETS),
    "ui.viewer": room(
        {"conversation", *GROUND, "ui.header", "ui.page", "ui.settings_fields"}, WIDGETS
    ),
    "ui.transcript": room(
        {"conversation", *GROUND},
        {*WIDGETS, "shiboken6", "markdown_it", "pygments", "ziamath", "latex2mathml"},
    ),
    "control": room(
        {
            "conversation",
            "models",
            "paths",
            "settings",
            "store",
            "ui",
            "engine.client",
            "engine.protocol",
            "workers.catalogue",
            "workers.media",
            "workers.rate",
            "workers.transfers",
            "workers.values",
        },
        WIDGETS,
    ),
    # The library's way to the web, which imports nothing heavy.
    "control.arrivals": room(
        {"store"}, {*WIDGETS, "mlx_glm45v.errors", "mlx_glm45v.media.fetch"}
    ),
    "application": room(
        {
            "control",
            "engine.client",
            "faults",
            "garbage",
            "paths",
            "settings",
            "store",
            "ui",
        },
        WIDGETS,
    ),
    "__main__": room({"application", "engine.process", "workers.process"}),
    "": room(),
}
RULES = {ROOT / "mlx_glm45v": LIBRARY, ROOT / "app": APP}


@pytest.mark.parametrize("package", RULES, ids=lambda package: package.name)
def test_every_import_is_allowed(package: Path):
    assert violations(package, RULES[package]) == []


def test_the_app_finds_itself_under_any_name():
    """It is installed as `mlx_glm45v_app`: absolute imports would not find it."""
    assert absolute_imports(ROOT / "app") == []


@pytest.mark.parametrize(
    ("file", "statement", "caught"),
    [
        ("processing/prompt.py", "import mlx.core as mx", True),
        ("processing/prompt.py", "from mlx_glm45v.model import vision", True),
        ("processing/prompt.py", "from ..media import images", False),
        ("media/images.py", "from ..processing.prompt import Prompt", True),
        ("media/images.py", "import requests", True),
        ("model/vision.py", "import json, pathlib", False),
        ("model/vision.py", "import numpy", True),
        ("model/vision.py", "from ..processing.prompt import Prompt", True),
        ("model/vision.py", "from mlx_lm.models.cache import KVCache", False),
        ("model/vision.py", "from mlx_lm import load", True),
        ("model/vision.py", "def f():\n    import mlx_lm.utils", True),
        ("generation/stream.py", "from ..messages import Message", True),
        ("generation/stream.py", "from ..processing.prompt import Prompt", False),
        ("generation/stream.py", "from ..processing import tokenizer", True),
        ("conversion/writer.py", "import mlx_lm", True),
        ("conversion/writer.py", "from ..model.weights import targets", False),
        ("conversion/writer.py", "from ..model.vision import Tower", True),
        ("checkpoints.py", "import mlx.core", True),
        ("errors.py", "from .messages import Message", True),
        ("config/text.py", "from ..errors import CheckpointError", False),
        ("hub/transfer.py", "import httpx2", False),
        ("__init__.py", "import mlx", True),
        (
            "processing/prompt.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mlx.core",
            False,
        ),
    ],
)
def test_the_walk_sees_what_breaks_the_rules(
    tmp_path: Path, file: str, statement: str, caught: bool
):
    package = tmp_path / "mlx_glm45v"
    for name in ("media/images", "processing/tokenizer", "model/vision"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).with_suffix(".py").touch()
    path = package / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(statement)
    assert bool(violations(package, LIBRARY)) is caught


@pytest.mark.parametrize(
    ("file", "statement", "caught"),
    [
        ("ui/header.py", "from ..engine.client import EngineClient", True),
        ("ui/header.py", "from ..store import Store", True),
        ("ui/header.py", "import mlx_glm45v", True),
        ("ui/header.py", "from ..models import ModelEntry", False),
        ("ui/composer/card.py", "from ..transcript.view import TranscriptView", True),
        ("ui/composer/card.py", "from ..theme import Theme", False),
        ("ui/composer/card.py", "import pygments", True),
        ("engine/process.py", "from PySide6.QtCore import QObject", True),
        ("engine/protocol.py", "import mlx_glm45v", True),
        ("engine/answering.py", "import mlx_glm45v", False),
        ("engine/client.py", "from PySide6.QtCore import QObject", False),
        ("engine/client.py", "from PySide6.QtWidgets import QWidget", True),
        ("engine/client.py", "from .answering import Answering", True),
        ("workers/media.py", "from .media_job import serve", True),
        ("workers/media.py", "def f():\n    from .media_job import serve", True),
        ("processes/child.py", "import PySide6", True),
        ("workers/media_job.py", "import PySide6.QtCore", True),
        ("store/store.py", "from PySide6.QtCore import QObject", True),
        ("store/store.py", "from ..ui.theme import Theme", True),
        ("__main__.py", "import PySide6", True),
        ("__main__.py", "from .store import Store", True),
        ("control/talk.py", "import mlx_glm45v", True),
        ("control/talk.py", "from ..engine.process import main", True),
        ("control/talk.py", "from ..engine.client import EngineClient", False),
        ("control/talk.py", "from ..application import main", True),
    ],
)
def test_the_walk_sees_what_breaks_the_apps_rules(
    tmp_path: Path, file: str, statement: str, caught: bool
):
    path = tmp_path / "app" / file
    path.parent.mkdir(parents=True)
    path.write_text(statement)
    assert bool(violations(tmp_path / "app", APP)) is caught


@pytest.mark.parametrize(
    ("statement", "caught"),
    [
        ("import app", True),
        ("import app.paths as paths", True),
        ("def f():\n    from app.paths import APP_NAME", True),
        ("from . import paths", False),
        ("import application", False),
    ],
)
def test_a_name_of_its_own_is_seen(tmp_path: Path, statement: str, caught: bool):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "talk.py").write_text(statement)
    assert bool(absolute_imports(tmp_path / "app")) is caught


def test_a_module_without_a_rule_is_an_error(tmp_path: Path):
    package = tmp_path / "mlx_glm45v"
    package.mkdir()
    (package / "utils.py").touch()
    with pytest.raises(LookupError, match="utils has no rule"):
        violations(package, LIBRARY)
