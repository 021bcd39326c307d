"""The list of conversations, the search over them, and how the model is doing."""

from .model import ConversationListModel
from .panel import Sidebar

__all__ = ["ConversationListModel", "Sidebar"]
