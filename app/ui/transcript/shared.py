"""What every part of the transcript needs, and the wishes that leave it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QPixmap

from ..theme import Theme
from .highlighting import Highlights
from .maths import Formulas
from .slices import Slices

Pictures = Callable[[str, int | None], QPixmap | None]


class Wishes(QObject):
    """What a person asks of a message. Turns are meant by their ids."""

    copy = Signal(str)
    regenerate = Signal(object)
    edit = Signal(object)
    variant = Signal(object, int)
    go_on = Signal(object)
    delete = Signal(object)
    answer_now = Signal()
    restart_model = Signal()
    show_log = Signal()
    save_picture = Signal(object, object, object)  # digest, page, boxes
    hover_link = Signal(str)
    open_media = Signal(object)  # Attachment


@dataclass(frozen=True)
class Shared:
    """The theme, pictures by digest and page, workers, and where wishes go."""

    theme: Theme
    pictures: Pictures
    formulas: Formulas
    highlights: Highlights
    slices: Slices
    wishes: Wishes
