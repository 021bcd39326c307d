"""Where a person writes: words, attachments, their cost, thinking, Send and Stop."""

from .drops import Offered, sources_of
from .overlay import DropOverlay, DropTarget
from .panel import Composer
from .values import CardValue, WaitingValue

__all__ = [
    "CardValue",
    "Composer",
    "DropOverlay",
    "DropTarget",
    "Offered",
    "WaitingValue",
    "sources_of",
]
