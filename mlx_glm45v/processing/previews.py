"""What the model will see of a medium, as small pictures for people.

Knows the same sampling as `processor` and `measure`. Makes no patches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from mlx_glm45v.errors import MediaError
from mlx_glm45v.media.images import load_image
from mlx_glm45v.media.sources import fetched, source_name
from mlx_glm45v.messages import DocumentPart, ImagePart, VideoPart
from mlx_glm45v.processing.frame_sampling import seconds_at
from mlx_glm45v.processing.processor import Processor

ShouldStop = Callable[[], bool]


@dataclass(frozen=True, eq=False)
class MediumPreview:
    """A picture of at most the asked side: a still, a frame pair's first or a page.

    `seconds` are a frame's, `page` (1-based) a document's.
    """

    picture: Image.Image
    seconds: float | None = None
    page: int | None = None


def previews(
    processor: Processor,
    part: ImagePart | VideoPart | DocumentPart,
    *,
    side: int,
    most: int | None = None,
    places: Sequence[int] | None = None,
    should_stop: ShouldStop | None = None,
) -> Iterator[MediumPreview]:
    """Pictures whose longer side is at most `side` pixels, each when it is asked for.

    Of a video one for each pair of frames that the prompt would hold, of a document one
    for each page; with `most`, so many spread over the whole; with `places`, those that
    stand there (from 0, rising; what is beyond the end is left out).

    Raises:
        MediaError: the source cannot be used.
        Cancelled: `should_stop` returned True.
    """
    match part:
        case ImagePart():
            picture = load_image(part.source, should_stop=should_stop)
            yield MediumPreview(_small(picture, side))
        case VideoPart():
            yield from _frames(
                processor, part, side, _Choice(most, places), should_stop
            )
        case DocumentPart():
            yield from _pages(part, side, _Choice(most, places), should_stop)


@dataclass(frozen=True)
class _Choice:
    """Which of all frames or pages are shown."""

    most: int | None
    places: Sequence[int] | None

    def of(self, indices: list[int]) -> list[int]:
        chosen = _spread(indices, self.most)
        if self.places is None:
            return chosen
        return [chosen[place] for place in self.places if place < len(chosen)]


def _frames(
    processor: Processor,
    part: VideoPart,
    side: int,
    choice: _Choice,
    should_stop: ShouldStop | None,
) -> Iterator[MediumPreview]:
    from mlx_glm45v.media.videos import probe, read_frames

    if part.times is not None:
        raise MediaError("frames with times are pictures already; show them as such")
    videos, name = processor.video_processor, source_name(part.source)
    source = fetched(part.source, should_stop=should_stop)
    info = probe(source, name=name, should_stop=should_stop)
    pairs = videos.rule.indices(info, fps=part.fps)
    chosen = choice.of(pairs[:: videos.frames.temporal_patch_size])
    frames = read_frames(source, chosen, info=info, should_stop=should_stop)
    for index, frame in zip(chosen, frames, strict=True):
        yield MediumPreview(_small(frame, side), seconds=seconds_at(info, index))


def _pages(
    part: DocumentPart, side: int, choice: _Choice, should_stop: ShouldStop | None
) -> Iterator[MediumPreview]:
    from mlx_glm45v.media.documents import page_sizes, read_pages

    source = fetched(part.source, should_stop=should_stop)
    sizes = page_sizes(source, pages=part.pages, dpi=72, should_stop=should_stop)
    numbers = choice.of(list(part.pages or range(1, len(sizes) + 1)))
    if not numbers:
        return
    # Twice as sharp as needed, so that scaling down smooths the letters.
    dpi = max(1, round(72 * 2 * side / max(max(size) for size in sizes)))
    pages = read_pages(
        source, pages=numbers, dpi=min(part.dpi, dpi), should_stop=should_stop
    )
    for number, page in zip(numbers, pages, strict=True):
        yield MediumPreview(_small(page, side), page=number)


def _spread(indices: list[int], most: int | None) -> list[int]:
    """`most` of them, the first always and the rest evenly."""
    if most is None or len(indices) <= most:
        return indices
    return [indices[step * len(indices) // most] for step in range(most)]


def _small(picture: Image.Image, side: int) -> Image.Image:
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small
