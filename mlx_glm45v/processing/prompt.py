"""A request as the engine sees it: token ids, positions and pictures, in plain numpy.

Knows nothing of messages, templates or files, and nothing of mlx:
`processing.processor` makes a `Prompt`, `generation` consumes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

MediaKind = Literal["image", "video", "page"]


class Pixels(Protocol):
    """Something that has the patches of a picture, or makes them when asked."""

    @property
    def pixel_values(self) -> np.ndarray:
        """float32 of shape (h * w, 1176)."""
        ...


@dataclass(frozen=True)
class MediaItem:
    """One picture, video or document page that a person gave.

    `width` and `height` are its own pixels, upright, before any resizing: grounding
    boxes are reported in them. It stands in part `part` of message `message` of the
    conversation; `page` is its number in a document, counted from 1.
    """

    kind: MediaKind
    name: str
    width: int
    height: int
    message: int = 0
    part: int = 0
    page: int | None = None


@dataclass(frozen=True, eq=False)
class MediaSpan:
    """A run of placeholders `token_ids[start:stop]` and the patches that replace it.

    A still picture is one span; a video is one span for each pair of frames, each with
    a one-frame grid. `grid_thw` is (1, h, w) in patches, and `stop - start` is
    `h * w / merge**2`. `digest` is of the resized pixels: equal digests mean equal
    features. `item` is an index into `Prompt.items`.
    """

    start: int
    stop: int
    digest: str
    pixels: Pixels
    grid_thw: tuple[int, int, int]
    item: int

    @property
    def pixel_values(self) -> np.ndarray:
        """float32 of shape (h * w, 1176), made anew: several times the picture's size.

        Only pictures that are encoded need it.
        """
        return self.pixels.pixel_values

    @property
    def num_patches(self) -> int:
        """Rows of `pixel_values`."""
        _, height, width = self.grid_thw
        return height * width


@dataclass(frozen=True, eq=False)
class Prompt:
    """Everything a model needs to answer.

    `token_ids` is int32 of shape (L,). `positions` is int32 of shape (3, L): the
    temporal, height and width position of each token. A token generated at index i >= L
    has position i + rope_delta on all three axes. `open_thinking` tells that the prompt
    ends inside an unclosed `<think>`, so that the first generated words are thinking.
    """

    token_ids: np.ndarray
    positions: np.ndarray
    rope_delta: int
    spans: tuple[MediaSpan, ...] = ()
    items: tuple[MediaItem, ...] = ()
    open_thinking: bool = False

    def __len__(self) -> int:
        return len(self.token_ids)

    def tokens_of(self, kind: MediaKind) -> int:
        """Placeholder tokens that media of this kind take."""
        return sum(
            span.stop - span.start
            for span in self.spans
            if self.items[span.item].kind == kind
        )
