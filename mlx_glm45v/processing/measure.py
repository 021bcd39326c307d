"""What messages will take of the context, without reading a pixel.

Knows sizes, packets and the template. Makes no patches: `Processor.prompt` does, and
comes to the same number of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from mlx_glm45v.errors import Cancelled
from mlx_glm45v.media.images import image_size, load_image
from mlx_glm45v.media.sources import fetched, source_name
from mlx_glm45v.messages import DocumentPart, ImagePart, Message, Part, VideoPart
from mlx_glm45v.processing.frame_sampling import seconds_at
from mlx_glm45v.processing.media_reader import (
    media_parts,
    name_of,
    with_documents_fetched,
    with_pages_as_images,
)
from mlx_glm45v.processing.processor import Processor

ShouldStop = Callable[[], bool]


@dataclass(frozen=True)
class MediumMeasure:
    """One picture, video or document that a person gave.

    `width` and `height` are its own upright pixels (a document's: its first page as
    drawn), `tokens` what stands in its place in the prompt, `resized` the (width,
    height) that the model sees. A video has the `seconds` of its frame pairs and its
    `duration`, a document the number of `pages` that are shown.
    """

    kind: Literal["image", "video", "document"]
    name: str
    width: int
    height: int
    tokens: int
    resized: tuple[int, int]
    seconds: tuple[float, ...] = ()
    duration: float = 0.0
    pages: int = 0


@dataclass(frozen=True)
class Measure:
    """`total` tokens of the prompt, those of `media` (in order) among them."""

    total: int
    media: tuple[MediumMeasure, ...]


def measure(
    processor: Processor,
    messages: Sequence[Message],
    *,
    thinking: bool | None = None,
    should_stop: ShouldStop | None = None,
) -> Measure:
    """Count what `processor.prompt(messages, thinking=thinking)` would make.

    Raises as `Processor.prompt` does, but for damage that only decoding meets.
    """
    if not messages:
        raise ValueError("a prompt needs at least one message")
    messages = [with_documents_fetched(each, should_stop) for each in messages]
    shown = [with_pages_as_images(each, should_stop) for each in messages]
    ids = processor.encode(processor.template.render(shown, thinking=thinking))
    places = media_parts(shown)
    processor.check_placeholders(ids, places)
    media = []
    for part in media_parts(messages):
        if should_stop is not None and should_stop():
            raise Cancelled("stopped while measuring")
        media.append(_measured(processor, part, should_stop))
    total = len(ids) - len(places) + sum(medium.tokens for medium in media)
    return Measure(total, tuple(media))


def _measured(
    processor: Processor, part: Part, should_stop: ShouldStop | None
) -> MediumMeasure:
    match part:
        case ImagePart():
            return _image(processor, part, should_stop)
        case VideoPart():
            return _video(processor, part, should_stop)
        case DocumentPart():
            return _document(processor, part, should_stop)
        case _:
            raise TypeError(f"{type(part).__name__} is no medium")


def _image(
    processor: Processor, part: ImagePart, should_stop: ShouldStop | None
) -> MediumMeasure:
    images = processor.image_processor
    width, height = image_size(part.source, should_stop=should_stop)
    rows, columns = images.target_size(
        width, height, max_pixels=part.max_pixels, name=name_of(part)
    )
    tokens = images.tokens_of(rows, columns)
    return MediumMeasure("image", name_of(part), width, height, tokens, (columns, rows))


def _document(
    processor: Processor, part: DocumentPart, should_stop: ShouldStop | None
) -> MediumMeasure:
    from mlx_glm45v.media.documents import page_sizes

    images = processor.image_processor
    sizes = page_sizes(
        part.source, pages=part.pages, dpi=part.dpi, should_stop=should_stop
    )
    resized = [
        images.target_size(*size, max_pixels=part.max_pixels, name=name_of(part))
        for size in sizes
    ]
    return MediumMeasure(
        "document",
        name_of(part),
        *sizes[0],
        sum(images.tokens_of(*size) for size in resized),
        (resized[0][1], resized[0][0]),
        pages=len(sizes),
    )


def _video(
    processor: Processor, part: VideoPart, should_stop: ShouldStop | None
) -> MediumMeasure:
    videos = processor.video_processor
    together = videos.frames.temporal_patch_size
    if isinstance(part.source, list | tuple) or part.times is not None:
        own_size = load_image(part.source[0]).size
        taken = tuple(float(second) for second in part.times or ())
        count = max(len(taken), together)
        duration = taken[-1] if taken else 0.0
    else:
        from mlx_glm45v.media.videos import probe

        name = source_name(part.source)
        source = fetched(part.source, should_stop=should_stop)
        info = probe(source, name=name, should_stop=should_stop)
        indices = videos.rule.indices(info, fps=part.fps)
        own_size, count = (info.width, info.height), len(indices)
        taken = tuple(seconds_at(info, index) for index in indices)
        duration = info.duration
    rows, columns = videos.frames.frames_size(
        count, *own_size, max_pixels=part.max_pixels, name=name_of(part)
    )
    seconds = taken[::together]
    # Each pair of frames stands between two markers, its time behind them.
    texts = [processor.tokenizer.encode(videos.time_text(each)) for each in seconds]
    each_pair = videos.frames.tokens_of(rows, columns) + 2
    return MediumMeasure(
        "video",
        name_of(part),
        *own_size,
        len(seconds) * each_pair + sum(len(text) for text in texts),
        (columns, rows),
        seconds=seconds,
        duration=duration,
    )
