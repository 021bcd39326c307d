"""What the app keeps on disk: conversations in SQLite, attachments by their digest.

Knows the values of `conversation`. Does not know Qt, the model or the window.
"""

from .attachments import Media
from .errors import StoreError
from .export import export_json, export_markdown
from .store import Store
from .tree import Branch

__all__ = ["Branch", "Media", "Store", "StoreError", "export_json", "export_markdown"]
