"""Pictures, videos and document pages of messages, read into patches one by one.

Knows which room opens what. Does not know templates or token ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from PIL.Image import Image

from mlx_glm45v.errors import Cancelled
from mlx_glm45v.media.images import load_image
from mlx_glm45v.media.sources import fetched, source_name
from mlx_glm45v.messages import (
    DocumentPart,
    ImagePart,
    Message,
    Part,
    TextPart,
    VideoPart,
)
from mlx_glm45v.processing.image_processor import ImageProcessor, Patches
from mlx_glm45v.processing.media_memory import MediaMemory
from mlx_glm45v.processing.prompt import MediaItem, MediaKind
from mlx_glm45v.processing.video_processor import VideoProcessor

ShouldStop = Callable[[], bool]


@dataclass(frozen=True)
class Medium:
    """One picture or video with its patches, on its way into the token ids.

    `frames` holds one entry for a still picture, one for each pair of frames of a
    video, whose `time_texts` stand between them (None for a still picture).
    """

    item: MediaItem
    frames: tuple[Patches, ...]
    time_texts: tuple[str, ...] | None = None


class MediaReader:
    """Reads media with a checkpoint's picture and video processors."""

    def __init__(
        self,
        image_processor: ImageProcessor,
        video_processor: VideoProcessor,
        memory: MediaMemory,
    ) -> None:
        self._images = image_processor
        self._videos = video_processor
        self._memory = memory

    def read(
        self, parts: Sequence[Part], *, should_stop: ShouldStop | None = None
    ) -> Iterator[Medium]:
        """Each medium in order, a document page by page.

        Raises:
            MediaError: one of them cannot be used.
            Cancelled: `should_stop` returned True.
        """
        for part in parts:
            if should_stop is not None and should_stop():
                raise Cancelled("stopped while reading pictures")
            yield from self._memory.recall(part, self._read(part, should_stop))

    def read_messages(
        self, messages: Sequence[Message], *, should_stop: ShouldStop | None = None
    ) -> Iterator[Medium]:
        """The same for all parts of `messages`; each item says where it stands."""
        for number, message in enumerate(messages):
            for index, part in enumerate(message.parts):
                for medium in self.read([part], should_stop=should_stop):
                    item = replace(medium.item, message=number, part=index)
                    yield replace(medium, item=item)

    def _read(self, part: Part, should_stop: ShouldStop | None) -> Iterator[Medium]:
        match part:
            case ImagePart():
                image = load_image(part.source, should_stop=should_stop)
                yield self._still(image, "image", name_of(part), part.max_pixels)
            case VideoPart():
                yield self._video(part, should_stop)
            case DocumentPart():
                yield from self._pages(part, should_stop)

    def _still(
        self,
        image: Image,
        kind: MediaKind,
        name: str,
        max_pixels: int | None,
        page: int | None = None,
    ) -> Medium:
        patches = self._images(image, max_pixels=max_pixels, name=name)
        return Medium(MediaItem(kind, name, *image.size, page=page), (patches,))

    def _video(self, part: VideoPart, should_stop: ShouldStop | None) -> Medium:
        video = self._videos(
            part.source,
            times=part.times,
            fps=part.fps,
            max_pixels=part.max_pixels,
            should_stop=should_stop,
        )
        return Medium(
            MediaItem("video", name_of(part), video.width, video.height),
            video.pairs,
            tuple(self._videos.time_text(second) for second in video.seconds),
        )

    def _pages(
        self, part: DocumentPart, should_stop: ShouldStop | None
    ) -> Iterator[Medium]:
        from mlx_glm45v.media.documents import read_pages

        pages = read_pages(
            part.source, pages=part.pages, dpi=part.dpi, should_stop=should_stop
        )
        for index, image in enumerate(pages):
            page = part.pages[index] if part.pages else index + 1
            name = f"{name_of(part)}, page {page}"
            yield self._still(image, "page", name, part.max_pixels, page)


def name_of(part: Part) -> str:
    """What messages call a medium."""
    return "" if isinstance(part, TextPart) else source_name(part.source)


def media_parts(messages: Sequence[Message]) -> list[Part]:
    """All parts but the words, in order."""
    return [
        part
        for message in messages
        for part in message.parts
        if not isinstance(part, TextPart)
    ]


def with_documents_fetched(message: Message, should_stop: ShouldStop | None) -> Message:
    """The message with documents behind addresses as bytes.

    A document is opened twice, to count its pages and to draw them.
    """
    if not _has_documents(message):
        return message
    parts = [
        replace(part, source=fetched(part.source, should_stop=should_stop))
        if isinstance(part, DocumentPart)
        else part
        for part in message.parts
    ]
    return replace(message, parts=parts)


def with_pages_as_images(message: Message, should_stop: ShouldStop | None) -> Message:
    """The message as a template sees it: a document is a row of pictures."""
    if not _has_documents(message):
        return message
    from mlx_glm45v.media.documents import page_count

    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, DocumentPart):
            count = len(part.pages or ()) or page_count(
                part.source, should_stop=should_stop
            )
            parts.extend([ImagePart(part.source)] * count)
        else:
            parts.append(part)
    return replace(message, parts=parts)


def _has_documents(message: Message) -> bool:
    return any(isinstance(part, DocumentPart) for part in message.parts)
