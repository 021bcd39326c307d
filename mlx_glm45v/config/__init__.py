"""A checkpoint's config.json as frozen values, checked when they are read.

`text`, `vision` and `rope` hold one table each, `model` joins them, `checks` says what
is wrong with a value.
"""

from .model import Glm4vMoeConfig
from .text import Glm4vMoeTextConfig
from .vision import Glm4vMoeVisionConfig

__all__ = ["Glm4vMoeConfig", "Glm4vMoeTextConfig", "Glm4vMoeVisionConfig"]
