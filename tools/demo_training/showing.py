"""Drawings as the patches that the model sees, with what stands in each cell.

Knows scales, blur and noise, and the labels that the vision tower learns from. Does not
know conversations or torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from demo_training.cells import cells_between, cells_of, place_at
from demo_training.checkpoint_files import image_config, video_config
from PIL import Image, ImageFilter

from mlx_glm45v.demo.boxes import box_of
from mlx_glm45v.demo.clips import Clip
from mlx_glm45v.demo.drawing import Appearance
from mlx_glm45v.demo.pages import Page
from mlx_glm45v.demo.scenes import COLOURS, SHAPES, Scene, add_noise, draw
from mlx_glm45v.demo.words import ON_PAGES
from mlx_glm45v.processing.image_processor import ImageProcessor, resize

STILLS = ImageProcessor.from_dict(image_config())
FRAMES = ImageProcessor.from_dict(video_config())

# shape, colour, x, y, move across, move down, box (4, from -1 to 1), rank, word, next
COLUMNS = 13
END = len(ON_PAGES) + 1


@dataclass(frozen=True)
class Media:
    """One picture or video: patches of each frame pair, labels of its cells.

    `pairs` holds (h/14 * w/14, 1176) patches each, `cells` (pairs * cells, 13) the
    labels; `seconds` is None for a picture, and `marks` (pairs, 6) what a video shows
    by each second: place, way so far, how many figures, and whether one is new.
    """

    pairs: tuple[np.ndarray, ...]
    grid: tuple[int, int]
    cells: np.ndarray
    seconds: tuple[int, ...] | None = None
    marks: np.ndarray | None = None


def weathered(random: Random, pixels: np.ndarray) -> np.ndarray:
    """The pixels after a little blur or noise, as cameras and codecs add them."""
    if random.random() < 0.25:
        blur = ImageFilter.GaussianBlur(random.uniform(0.3, 0.8))
        pixels = np.asarray(Image.fromarray(pixels).filter(blur))
    if random.random() < 0.35:
        deviation, seed = random.uniform(0.5, 7.0), random.getrandbits(32)
        pixels = add_noise(pixels, deviation=deviation, seed=seed)
    return pixels


def pixels_of(random: Random, drawn: Scene | Page) -> np.ndarray:
    """A picture drawn at one to three times its size, then fitted to the budget."""
    height, width = STILLS.target_size(drawn.width, drawn.height)
    if isinstance(drawn, Page):
        picture = drawn.draw(scale=random.choice((1.0, 2.0, 2.0, 3.0)))
    else:
        scale = 1.0 if drawn.width > 168 else random.choice((1.0, 1.0, 1.5, 2.0, 3.0))
        picture = draw(drawn, scale=scale)
    return weathered(random, resize(picture, width, height))


def frames_of(random: Random, clip: Clip | Appearance) -> list[np.ndarray]:
    """The clip's frames at two a second, fitted to the budget."""
    count, scene = int(clip.seconds * 2), clip.scene
    height, width = FRAMES.frames_size(
        count, scene.width, scene.height, max_pixels=None, name="the clip"
    )
    scale = 1.0 if scene.width > 168 else random.choice((1.0, 1.0, 2.0))
    return [
        weathered(random, resize(clip.frame(i / 2, scale=scale), width, height))
        for i in range(count)
    ]


def _scene_cells(
    scene: Scene, grid: tuple[int, int], plain: np.ndarray | None = None
) -> np.ndarray:
    """`cells_of` (or `plain`) with the box and the rank of the figure there."""
    plain = cells_of(scene, grid) if plain is None else plain
    cells = np.zeros((len(plain), COLUMNS), np.float32)
    cells[:, :6] = plain
    names = [(figure.shape, figure.colour) for figure in scene.figures]
    for rank, (shape, colour) in enumerate(names):
        here = (plain[:, 0] == SHAPES.index(shape) + 1) & (
            plain[:, 1] == tuple(COLOURS).index(colour) + 1
        )
        cells[here, 6:10] = np.array(box_of(scene, scene.figures[rank])) / 500 - 1
        cells[here, 10] = rank + 1
    return cells


def _page_cells(page: Page, grid: tuple[int, int]) -> np.ndarray:
    rows, columns = grid[0] // 2, grid[1] // 2
    cells = np.zeros((rows * columns, COLUMNS), np.float32)
    y, x = np.divmod(np.arange(rows * columns), columns)
    cells[:, 2] = (x + 0.5) / columns * 2 - 1
    cells[:, 3] = (y + 0.5) / rows * 2 - 1
    for index, (word, (left, middle)) in enumerate(
        zip(page.words, page.spots, strict=True)
    ):
        row = min(rows - 1, int(middle / page.height * rows))
        column = min(columns - 1, int(left / page.width * columns))
        cell = row * columns + column
        cells[cell, 11] = ON_PAGES.index(word) + 1
        last = index == len(page.words) - 1
        cells[cell, 12] = END if last else ON_PAGES.index(page.words[index + 1]) + 1
    return cells


def media_of(random: Random, drawn: Scene | Page | Clip | Appearance) -> Media:
    """The drawing as patches and labels."""
    if isinstance(drawn, Scene | Page):
        patches = STILLS.patches([pixels_of(random, drawn)])
        grid = patches.grid_thw[1:]
        cells = (
            _page_cells(drawn, grid)
            if isinstance(drawn, Page)
            else _scene_cells(drawn, grid)
        )
        return Media((patches.pixel_values,), grid, cells)
    frames = frames_of(random, drawn)
    pairs = [FRAMES.patches(frames[i : i + 2]) for i in range(0, len(frames), 2)]
    grid = pairs[0].grid_thw[1:]
    seconds = range(len(pairs))
    if isinstance(drawn, Clip):
        cells = [
            _scene_cells(drawn.scene_at(s + 0.25), grid, cells_between(drawn, s, grid))
            for s in seconds
        ]
        path = np.array([place_at(drawn, s + 0.25) for s in seconds])
        counts = np.ones((len(pairs), 1))
        new = np.zeros((len(pairs), 1))
    else:
        cells = [_scene_cells(drawn.scene_at(s), grid) for s in seconds]
        path = np.zeros((len(pairs), 2))
        counts = np.array([[len(drawn.scene_at(s).figures)] for s in seconds])
        new = np.array([[float(s == drawn.since)] for s in seconds])
    marks = np.hstack([path, path - path[0], counts / 2, new]).astype(np.float32)
    return Media(
        tuple(pair.pixel_values for pair in pairs),
        grid,
        np.concatenate(cells),
        tuple(seconds),
        marks,
    )
