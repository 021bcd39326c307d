"""The attachment viewer: a picture large, a video's frames, a document's pages."""

from .dialog import AttachmentViewer
from .values import ViewerValue

__all__ = ["AttachmentViewer", "ViewerValue"]
