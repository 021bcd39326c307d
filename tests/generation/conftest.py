"""What the tests of generation share."""

from dataclasses import replace

import pytest

from tests.generation.fakes import CONFIG
from tests.generation.small_model import make_model


@pytest.fixture(scope="session")
def model():
    """A small random model with pictures and experts, in float32."""
    return make_model()


@pytest.fixture(scope="session")
def wide_model():
    """The same with heads that can be quantised."""
    rope = {"rope_type": "default", "mrope_section": [4, 4, 8]}
    text = replace(CONFIG.text_config, head_dim=64, rope_scaling=rope)
    return make_model(replace(CONFIG, text_config=text))
