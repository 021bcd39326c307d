"""Who may import whom: every import statement is read and held against a table."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, APP = ROOT / "mlx_glm45v", ROOT / "app"
HUB = {"huggingface_hub", "httpx2"}
PIXELS = {"numpy", "PIL", "pillow_heif", "av", "pypdfium2"}
VALUES = {"errors", "config", "messages", "progress", "tool_calls"}
FILES = {*VALUES, "safetensors_header", "shards", "checkpoints", "hub"}


@dataclass(frozen=True)
class Room:
    """What a module or package may import besides the standard library and itself.

    `ours` are modules of this package by their path, with everything below them; "*"
    is all of them. `theirs` are distributions' top-level or dotted modules.
    """

    ours: frozenset[str] = frozenset()
    theirs: frozenset[str] = frozenset()


def room(ours: set[str] | None = None, theirs: set[str] | None = None) -> Room:
    return Room(frozenset(ours or ()), frozenset(theirs or ()))


# The longest path that fits a file decides.
ROOMS = {
    "errors": room(),
    "progress": room(),
    "messages": room({"errors"}),
    "config": room({"errors", "config_*"}),
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
    "loading": room({"*"}, {"mlx"}),
    "replies": room({*VALUES, "generation", "processing.prompt"}),
    "prompting": room({"*"}),
    "batch": room({"*"}, {"mlx"}),
    "chat": room({"*"}, {"mlx", "numpy"}),
    "generate": room({"*"}, {"mlx", "numpy", "PIL", "tqdm"}),
    "cli": room({"*"}, {"mlx", "numpy", "PIL", "tqdm"}),
    "": room({"*"}),
}


# The desktop app. Its child processes import no Qt; widgets know values only.
QT = {"PySide6", "shiboken6"}
APP_VALUES = {"conversation", "models", "paths"}
APP_ROOMS = {
    "conversation": room(),
    "models": room(),
    # Qt's standard folders, where nothing else names one.
    "paths": room(set(), {"PySide6.QtCore"}),
    "settings": room(set(), {"PySide6.QtCore"}),
    "faults": room({"paths"}, {"PySide6.QtCore"}),
    "processes.child": room(),
    "processes.link": room({"paths", "processes.child"}, {"PySide6.QtCore"}),
    "processes": room(),
    # The model's process and what it speaks.
    "engine": room({*APP_VALUES, "processes.child"}, {"mlx", "mlx_glm45v"}),
    # The window's side of it.
    "engine.client": room(
        {*APP_VALUES, "engine", "processes.link"}, {"PySide6.QtCore"}
    ),
    "engine.endings": room({"processes.link"}, {"PySide6.QtCore"}),
    # The window's side of workers, and their own.
    "workers": room({*APP_VALUES, "processes"}, {"PySide6.QtCore"}),
    "workers.media_job": room({*APP_VALUES, "processes.child"}, {"mlx_glm45v"}),
    "workers.models_job": room(
        {*APP_VALUES, "processes.child", "workers.known"}, {"mlx_glm45v"}
    ),
    "workers.download_job": room(
        {"processes.child", "workers.reporting"}, {"mlx_glm45v"}
    ),
    "workers.convert_job": room(
        {"processes.child", "workers.reporting"}, {"mlx_glm45v"}
    ),
    "workers.known": room(),
    "workers.process": room({"processes.child", "workers"}),
    "workers.rate": room(),
    "workers.remembered": room(),
    "workers.reporting": room({"processes.child"}, {"mlx_glm45v"}),
    "workers.values": room({"conversation"}),
    "store": room({"conversation"}),
    "ui": room(
        {*APP_VALUES, "settings"},
        {*QT, "markdown_it", "pygments", "ziamath", "latex2mathml"},
    ),
    "control": room({"*"}, QT),
    "application": room({"*"}, QT),
    "__main__": room({"*"}),
    "": room(),
}
RULES = {PACKAGE: ROOMS, APP: APP_ROOMS}


def module_of(file: Path, package: Path) -> str:
    """`processing/prompt.py` -> `processing.prompt`; a package's own file: its path."""
    parts = list(file.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file: Path, package: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted module) of all imports outside of TYPE_CHECKING blocks."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    here = [package.name, *file.relative_to(package).parent.parts]
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from . import x` and `from .media import images` may name modules.
            for alias in node.names:
                target = package.parent.joinpath(*module.split("."), alias.name)
                is_module = target.with_suffix(".py").exists() or target.is_dir()
                yield node.lineno, f"{module}.{alias.name}" if is_module else module


def below(name: str, roots: frozenset[str]) -> bool:
    """Whether a dotted name is one of `roots` or inside one; "*" is any."""
    return any(
        root == "*" or name == root or name.startswith(root + ".") for root in roots
    )


def room_of(module: str, rooms: Mapping[str, Room]) -> tuple[str, Room]:
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        path = ".".join(parts[:length])
        if path in rooms:
            return path, rooms[path]
    raise LookupError(f"{module} has no rule: give it one in its table")


def violations(package: Path, rooms: Mapping[str, Room]) -> list[str]:
    found = []
    for file in sorted(package.rglob("*.py")):
        module = module_of(file, package)
        own, rule = room_of(module, rooms) if module else ("", rooms[""])
        for line, name in imports_of(file, package):
            top, _, rest = name.partition(".")
            if top in sys.stdlib_module_names:
                continue
            if top == package.name:
                allowed = not rest or below(rest, rule.ours | {own})
            else:
                allowed = below(name, rule.theirs)
            if not allowed:
                found.append(f"{module or package.name}:{line} imports {name}")
    return found


@pytest.mark.parametrize("package", RULES, ids=lambda package: package.name)
def test_every_import_is_allowed(package: Path):
    assert violations(package, RULES[package]) == []


def test_the_app_finds_itself_under_any_name():
    """It is installed as `mlx_glm45v_app`: absolute imports would not find it."""
    absolute = [
        f"{file}:{node.lineno}"
        for file in APP.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and not node.level and node.module)
        and node.module.partition(".")[0] == "app"
    ]
    assert absolute == []


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
    assert bool(violations(package, ROOMS)) is caught


@pytest.mark.parametrize(
    ("file", "statement", "caught"),
    [
        ("ui/header.py", "from ..engine.client import EngineClient", True),
        ("ui/header.py", "from ..store import Store", True),
        ("ui/header.py", "import mlx_glm45v", True),
        ("ui/header.py", "from ..models import ModelEntry", False),
        ("engine/process.py", "from PySide6.QtCore import QObject", True),
        ("engine/client.py", "from PySide6.QtCore import QObject", False),
        ("processes/child.py", "import PySide6", True),
        ("workers/media_job.py", "import PySide6.QtCore", True),
        ("store/store.py", "from PySide6.QtCore import QObject", True),
        ("store/store.py", "from ..ui.theme import Theme", True),
        ("__main__.py", "import PySide6", True),
        ("control/talk.py", "import mlx_glm45v", True),
    ],
)
def test_the_walk_sees_what_breaks_the_apps_rules(
    tmp_path: Path, file: str, statement: str, caught: bool
):
    path = tmp_path / "app" / file
    path.parent.mkdir(parents=True)
    path.write_text(statement)
    assert bool(violations(tmp_path / "app", APP_ROOMS)) is caught


def test_a_module_without_a_rule_is_an_error(tmp_path: Path):
    package = tmp_path / "mlx_glm45v"
    package.mkdir()
    (package / "utils.py").touch()
    with pytest.raises(LookupError, match="utils has no rule"):
        violations(package, ROOMS)
