"""Grounding boxes drawn on the picture they are about.

Knows Pillow and boxes in pixels. Does not know how they were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageColor, ImageDraw, ImageFont

from mlx_glm45v.errors import MediaError
from mlx_glm45v.generation.grounding import Box
from mlx_glm45v.media.documents import page_count, read_pages
from mlx_glm45v.media.images import load_image
from mlx_glm45v.messages import DocumentPart, ImagePart, Message, TextPart
from mlx_glm45v.replies import Reply

_COLOUR = "#0A63C9"


def save_boxes(messages: Sequence[Message], reply: Reply, path: Path) -> list[str]:
    """Saves each picture that the reply's boxes are about with them drawn on it.

    The first goes to `path`, others beside it with their number. Returns a line for
    each file written, or one that says why there is none.

    Raises:
        MediaError: a picture can no longer be read, or `path` cannot be written.
    """
    about = sorted({box.item for box in reply.boxes})
    moving = [item for item in about if reply.media[item].kind == "video"]
    about = [item for item in about if item not in moving]
    lines = [
        f"the boxes on {reply.media[item].name} are not drawn: it is a video, and they "
        "are about a moment of it"
        for item in moving
    ]
    if not reply.boxes:
        return [f"the answer names no boxes; {path} is not written"]
    for count, item in enumerate(about, start=1):
        target = path if count == 1 else path.with_stem(f"{path.stem}-{count}")
        boxes = [box for box in reply.boxes if box.item == item]
        drawn = draw_boxes(_picture(messages, item), boxes)
        try:
            drawn.save(target)
        except (OSError, ValueError) as error:
            raise MediaError(
                f"{target} cannot be written: {error}. Name a .png in a folder you own"
            ) from error
        told = "1 box" if len(boxes) == 1 else f"{len(boxes)} boxes"
        lines.append(f"{told} on {reply.media[item].name}: {target}")
    return lines


def _picture(messages: Sequence[Message], item: int) -> Image.Image:
    """The picture or page that is number `item` of the conversation's media."""
    for message in messages:
        for part in message.parts:
            match part:
                case TextPart():
                    continue
                case DocumentPart():
                    pages = part.pages or tuple(range(1, page_count(part.source) + 1))
                    if item < len(pages):
                        page = (pages[item],)
                        return next(read_pages(part.source, pages=page, dpi=part.dpi))
                    item -= len(pages)
                case ImagePart() if item == 0:
                    return load_image(part.source)
                case _:
                    item -= 1
    raise IndexError("the conversation has fewer pictures than the reply")


def draw_boxes(image: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """A copy of `image` (RGB) with each box outlined, filled by 12 % and labelled."""
    width = max(2, round(min(image.size) / 200))
    font = ImageFont.load_default(size=max(12, round(min(image.size) / 28)))
    drawn = image.convert("RGBA")
    layer = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(layer)
    red, green, blue = ImageColor.getrgb(_COLOUR)[:3]
    for box in boxes:
        corners = (box.left, box.top, box.right, box.bottom)
        draw.rectangle(
            corners,
            outline=(red, green, blue, 255),
            fill=(red, green, blue, 31),
            width=width,
        )
        if box.label:
            _draw_label(draw, box, font, (red, green, blue, 255))
    return Image.alpha_composite(drawn, layer).convert("RGB")


def _draw_label(
    draw: ImageDraw.ImageDraw,
    box: Box,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    colour: tuple[int, int, int, int],
) -> None:
    text = box.label
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    padding = 3
    height = bottom - top + 2 * padding
    # Above the box where there is room, inside it otherwise.
    y = box.top - height if box.top >= height else box.top
    draw.rectangle(
        (box.left, y, box.left + right - left + 2 * padding, y + height), fill=colour
    )
    draw.text(
        (box.left + padding - left, y + padding - top), text, font=font, fill="white"
    )
