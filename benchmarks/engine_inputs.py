"""Models and inputs that both runtimes get as files: the same weights, ids, pixels.

Models: the packaged demo; "medium", random, GLM-4.5V with an eighth of its widths and
12 layers; "slice", random, its real widths with one dense and one MoE layer.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import mlx_glm45v
from benchmarks.real_size_folder import real_size_config, write_folder
from mlx_glm45v.processing.positions import PlaceholderRun, rope_positions
from mlx_glm45v.processing.prompt import MediaItem, MediaSpan, Prompt

DEMO = Path(mlx_glm45v.__file__).parent / "demo" / "checkpoint"
MERGE = 2
_PATCH = 1176
# Rows and columns of patches: a still, and 1080p at half its width and height (whole it
# takes either runtime's CPU backend a quarter of an hour).
STILL, HALF_HD = (32, 32), (38, 68)
# Of a picture in a question: frames * height * width, about 1,000 tokens.
PICTURE_BUDGET = 1_600_000
MEDIA_IDS = (
    "image_token_id",
    "video_token_id",
    "image_start_token_id",
    "image_end_token_id",
    "video_start_token_id",
    "video_end_token_id",
)


def write_model(name: str, folder: Path) -> None:
    """Convert model `name` (its recipe after a dash) into `folder`."""
    base, _, recipe = name.partition("-")
    if base == "demo":
        _convert(DEMO, folder, recipe)
        return
    layers, scale = {"medium": (11, 8), "slice": (1, 1)}[base]
    config = real_size_config(layers, scale=scale)
    demo = json.loads((DEMO / "config.json").read_text())
    # The demo's tokenizer and template go with it, so its ids do.
    config |= {key: demo[key] for key in MEDIA_IDS}
    config["text_config"]["eos_token_id"] = demo["text_config"]["eos_token_id"]
    if base == "medium":
        config["text_config"]["vocab_size"] = demo["text_config"]["vocab_size"]
    source = folder.with_name(f"{base}-source")
    if not source.exists():
        write_folder(source, config)
        for file in DEMO.iterdir():
            if file.name != "config.json" and file.suffix != ".safetensors":
                shutil.copy(file, source)
        picture = json.loads((DEMO / "preprocessor_config.json").read_text())
        picture["size"]["longest_edge"] = PICTURE_BUDGET
        (source / "preprocessor_config.json").write_text(json.dumps(picture))
    _convert(source, folder, recipe)


def _convert(source: Path, folder: Path, recipe: str) -> None:
    mlx_glm45v.convert(source, folder, recipe=None if recipe == "bf16" else recipe)


@dataclass(frozen=True, eq=False)
class Given:
    """Patches that are there already."""

    pixel_values: np.ndarray


def write_inputs(
    file: Path, folder: Path, *, words: int, pictures: Sequence[tuple[int, int]] = ()
) -> None:
    """A prompt of `words` random tokens around `pictures` (rows, columns)."""
    config = json.loads((folder / "config.json").read_text())
    chance = np.random.default_rng(len(pictures) * 1000 + words)
    ids: list[int] = chance.integers(1, 500, words // 2).tolist()
    pixels, grids = [], []
    for height, width in pictures:
        count = height * width
        ids += [
            config["image_start_token_id"],
            *[config["image_token_id"]] * (count // MERGE**2),
            config["image_end_token_id"],
        ]
        pixels.append(chance.standard_normal((count, _PATCH), np.float32))
        grids.append((1, height, width))
    ids += chance.integers(1, 500, words - words // 2).tolist()
    np.savez(
        file,
        ids=np.array(ids, np.int32),
        pixels=np.concatenate(pixels) if pixels else np.zeros((0, _PATCH), np.float32),
        grids=np.array(grids, np.int32).reshape(-1, 3),
        image_token=config["image_token_id"],
    )


def read_prompt(file: Path) -> Prompt:
    """The inputs as this library's engine takes them."""
    found: dict[str, Any] = dict(np.load(file))
    ids, grids = found["ids"], [tuple(map(int, row)) for row in found["grids"]]
    places = np.flatnonzero(ids == found["image_token"])
    runs, spans, at, row = [], [], 0, 0
    for number, (_, height, width) in enumerate(grids):
        count = height * width // MERGE**2
        start = int(places[at])
        runs.append(PlaceholderRun(start, start + count, (1, height, width)))
        given = Given(found["pixels"][row : row + height * width])
        grid = (1, height, width)
        spans.append(MediaSpan(start, start + count, str(number), given, grid, number))
        at, row = at + count, row + height * width
    positions, delta = rope_positions(len(ids), runs, merge_size=MERGE)
    items = tuple(MediaItem("image", str(n), 1, 1) for n in range(len(grids)))
    return Prompt(ids, positions, delta, tuple(spans), items)


def write_picture(path: Path) -> None:
    """A 1080p picture for the questions."""
    chance = np.random.default_rng(5)
    small = chance.integers(0, 255, (27, 48, 3), dtype=np.uint8)
    Image.fromarray(small).resize((1920, 1080)).save(path)
