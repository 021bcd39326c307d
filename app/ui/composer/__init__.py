"""Where a person writes: words, attachments, their cost, thinking, Send and Stop."""

from .drops import Offered, sources_of
from .overlay import DropOverlay, DropTarget
from .panel import Composer
from .values import CardValue

__all__ = [
    "CardValue",
    "Composer",
    "DropOverlay",
    "DropTarget",
    "Offered",
    "sources_of",
]
