"""What every room's tests may use: the packaged demo, loaded once."""

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
