"""What every room's tests may use: the packaged demo, as it is and in 4 bits."""

import json
import shutil
from pathlib import Path

import pytest

import mlx_glm45v
from mlx_glm45v.processing.processor import Processor

PACKAGE = Path(mlx_glm45v.__path__[0])


@pytest.fixture(scope="session")
def demo_folder() -> Path:
    return PACKAGE / "demo" / "checkpoint"


@pytest.fixture(scope="session")
def demo_media() -> Path:
    return PACKAGE / "demo" / "media"


@pytest.fixture(scope="session")
def demo_processor(demo_folder) -> Processor:
    return Processor.from_folder(demo_folder)


@pytest.fixture(scope="session")
def demo(demo_folder):
    """The trained demo as (model, processor)."""
    from mlx_glm45v.loading import load

    return load(demo_folder)


@pytest.fixture(scope="session")
def quantised_demo_folder(demo_folder, tmp_path_factory) -> Path:
    """The demo converted to 4 bits."""
    from mlx_glm45v import convert

    folder = tmp_path_factory.mktemp("demo") / "4bit"
    convert(demo_folder, folder, recipe="4bit")
    return folder


@pytest.fixture(scope="session")
def quantised_demo(quantised_demo_folder):
    """The same as (model, processor), its projections joined."""
    from mlx_glm45v.loading import load

    return load(quantised_demo_folder)


@pytest.fixture(scope="session")
def narrow_demo_folder(demo_folder, tmp_path_factory) -> Path:
    """The demo's weights as twice as many heads, too narrow to be quantised."""
    folder = tmp_path_factory.mktemp("demo") / "narrow"
    shutil.copytree(demo_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    text = config["text_config"]
    text["head_dim"] //= 2
    text["num_attention_heads"] *= 2
    text["num_key_value_heads"] *= 2
    text["rope_scaling"]["mrope_section"] = [2, 3, 3]
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def narrow_demo(narrow_demo_folder):
    """The same as (model, processor)."""
    from mlx_glm45v.loading import load

    return load(narrow_demo_folder)


@pytest.fixture(scope="session", params=["demo", "quantised_demo"])
def either_demo(request):
    """A test with this runs twice: with the demo as it is, then in 4 bits."""
    return request.getfixturevalue(request.param)
