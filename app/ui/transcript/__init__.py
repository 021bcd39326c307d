"""The transcript: what a person and the model said, as rows that stream and light up.

Text becomes block values (`markdown`), blocks become widgets (`body`), rows stand in a
column that builds only what is near the reader (`column`). Everything a person wants
leaves through the signals of `TranscriptView`.
"""

from .view import TranscriptView

__all__ = ["TranscriptView"]
