"""How closely an attachment is looked at: pixel budgets and frames a second. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..conversation import Attachment
from ..settings import Settings

# Most pixels of a picture, of all frames of a video, and frames a second; None is the
# checkpoint's own. A 1080p picture is untouched by "normal".
DETAILS: dict[str, tuple[int | None, int | None, float | None]] = {
    "low": (602_112, 11_760_000, 1.0),
    "normal": (2_408_448, 23_520_000, None),
    "high": (None, None, None),
}


@dataclass(frozen=True)
class Own:
    """What a person chose for one attachment; None follows the settings."""

    detail: str | None = None
    fps: float | None = None


FOLLOWS = Own()


def budgeted(attachment: Attachment, settings: Settings, own: Own) -> Attachment:
    """The attachment with the budgets that the settings and its own choice give it."""
    still, moving, fps = DETAILS[own.detail or settings.detail]
    if attachment.kind == "video":
        most = _least(moving, settings.video_max_pixels)
        rate = own.fps or settings.video_fps or fps
        return replace(attachment, max_pixels=most, fps=rate)
    return replace(attachment, max_pixels=_least(still, settings.image_max_pixels))


def own_of(attachment: Attachment, settings: Settings, own: Own) -> Own:
    """What was chosen for an attachment, or what its budgets tell where nothing was.

    Its detail is always a word.
    """
    if own == FOLLOWS:
        for detail in (settings.detail, *DETAILS):
            given = budgeted(attachment, settings, Own(detail))
            if given.max_pixels == attachment.max_pixels:
                told = attachment.fps if attachment.fps != given.fps else None
                return Own(detail, told)
    return replace(own, detail=own.detail or settings.detail)


def _least(one: int | None, other: int | None) -> int | None:
    given = [each for each in (one, other) if each is not None]
    return min(given) if given else None
