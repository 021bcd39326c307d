"""Tiny models and prompts whose reference values are stored beside this file.

Weights and pixels come from numpy's frozen `RandomState` streams, seeded by name, so
that only configs and results need storing. Shared by the tests and by
`tools/make_parity.py`; imports neither torch nor mlx.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

VALUES = Path(__file__).parent / "values"

LENGTHS = (20, 50, 300)  # of requests whose rotary frequencies are stored
SAMPLED_GRIDS = ((2, 2), (6, 6), (4, 10), (12, 2), (20, 14))
VOCABULARY = 160
IMAGE, VIDEO, IMAGE_START, IMAGE_END, VIDEO_START, VIDEO_END = range(150, 156)

Grid = tuple[int, int, int]


@dataclass(frozen=True)
class Text:
    tokens: int


@dataclass(frozen=True)
class Image:
    height: int
    width: int


@dataclass(frozen=True)
class Video:
    frames: int
    height: int
    width: int


Part = Text | Image | Video


@dataclass(frozen=True)
class Prompt:
    """Rows of parts; shorter rows are padded on `padding`'s side."""

    name: str
    rows: tuple[tuple[Part, ...], ...]
    padding: str = "left"

    def row_ids(self, index: int) -> list[int]:
        """One row's tokens without padding."""
        random = np.random.RandomState(seed_of(f"{self.name}.{index}"))
        ids: list[int] = []
        for part in self.rows[index]:
            if isinstance(part, Text):
                ids += random.randint(0, 140, part.tokens).tolist()
            elif isinstance(part, Image):
                count = part.height * part.width // 4
                ids += [IMAGE_START, *[IMAGE] * count, IMAGE_END]
            else:
                count = part.height * part.width // 4
                frame = [IMAGE_START, *[IMAGE] * count, IMAGE_END]
                ids.append(VIDEO_START)
                for _ in range(part.frames):
                    ids += [*frame, *random.randint(0, 140, 2).tolist()]
                ids.append(VIDEO_END)
        return ids

    @property
    def input_ids(self) -> np.ndarray:
        rows = [self.row_ids(index) for index in range(len(self.rows))]
        length = max(len(row) for row in rows)
        ids = np.zeros((len(rows), length), np.int64)
        for row, target in zip(rows, ids, strict=True):
            start = length - len(row) if self.padding == "left" else 0
            target[start : start + len(row)] = row
        return ids

    @property
    def attention_mask(self) -> np.ndarray:
        ids = self.input_ids
        mask = np.zeros_like(ids)
        for index, target in enumerate(mask):
            length = len(self.row_ids(index))
            start = ids.shape[1] - length if self.padding == "left" else 0
            target[start : start + length] = 1
        return mask

    @property
    def padded(self) -> bool:
        return len(self.rows) > 1

    @property
    def mm_token_type_ids(self) -> np.ndarray:
        """0 for text, 1 for an image's placeholder, 2 for a video's."""
        ids = self.input_ids
        opened = np.cumsum(ids == VIDEO_START, 1) > np.cumsum(ids == VIDEO_END, 1)
        return np.where(ids == IMAGE, np.where(opened, 2, 1), 0)

    def _grids(self, kind: type) -> list[Grid]:
        parts = [part for row in self.rows for part in row if isinstance(part, kind)]
        return [(getattr(p, "frames", 1), p.height, p.width) for p in parts]

    @property
    def image_grid_thw(self) -> list[Grid]:
        return self._grids(Image)

    @property
    def video_grid_thw(self) -> list[Grid]:
        return self._grids(Video)

    def pixels(self, kind: str, length: int) -> np.ndarray | None:
        """Patch vectors (N, length) of all images or all videos; None without any."""
        grids = self.image_grid_thw if kind == "image" else self.video_grid_thw
        if not grids:
            return None
        count = sum(t * h * w for t, h, w in grids)
        random = np.random.RandomState(seed_of(f"{self.name}.{kind}"))
        return random.standard_normal((count, length)).astype(np.float32)


TEXT = Prompt("text", ((Text(19),),))
ONE_IMAGE = Prompt("one image", ((Text(5), Image(4, 8), Text(7)),))
IMAGES = Prompt(
    "images of different sizes",
    ((Text(3), Image(4, 6), Text(2), Image(10, 2), Image(6, 4), Image(4, 6), Text(5)),),
)
VIDEO_ONLY = Prompt("video", ((Text(4), Video(3, 4, 6), Text(6)),))
BOTH = Prompt(
    "images and videos",
    (
        (
            *(Text(3), Image(4, 6), Video(2, 4, 4), Text(2), Image(2, 8)),
            *(Video(1, 6, 4), Text(6)),
        ),
    ),
)
_ROWS = ((Text(4), Image(6, 4), Text(5)), (Text(11),), (Image(2, 4), Text(1)))
PADDED_LEFT = Prompt("padded left", _ROWS, "left")
PADDED_RIGHT = Prompt("padded right", _ROWS, "right")
LONG_TEXT = Prompt("long text", ((Text(45),),))
LONG_IMAGE = Prompt("long with image", ((Text(20), Image(6, 6), Text(25)),))


@dataclass(frozen=True)
class Case:
    """One tiny model and the prompts it answers."""

    name: str
    text: Mapping[str, Any] = field(default_factory=dict)
    vision: Mapping[str, Any] = field(default_factory=dict)
    top: Mapping[str, Any] = field(default_factory=dict)
    prompts: Sequence[Prompt] = (TEXT, ONE_IMAGE)

    @property
    def config(self) -> dict[str, Any]:
        """The model's config.json."""
        text = {
            "model_type": "glm4v_moe_text",
            "vocab_size": VOCABULARY,
            "hidden_size": 64,
            "intermediate_size": 80,
            "num_hidden_layers": 3,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "max_position_embeddings": 512,
            "moe_intermediate_size": 24,
            "n_routed_experts": 8,
            "num_experts_per_tok": 3,
            "rope_parameters": rope("default"),
            "pad_token_id": None,
            **self.text,
        }
        vision = {
            "model_type": "glm4v_moe_vision",
            "depth": 2,
            "hidden_size": 48,
            "num_heads": 3,
            "image_size": 24,
            "patch_size": 4,
            "out_hidden_size": 64,
            "intermediate_size": 40,
            **self.vision,
        }
        return {
            "model_type": "glm4v_moe",
            "text_config": text,
            "vision_config": vision,
            "image_token_id": IMAGE,
            "video_token_id": VIDEO,
            "image_start_token_id": IMAGE_START,
            "image_end_token_id": IMAGE_END,
            "video_start_token_id": VIDEO_START,
            "video_end_token_id": VIDEO_END,
            "tie_word_embeddings": False,
            **self.top,
        }

    @property
    def patch_length(self) -> int:
        return 6 * self.config["vision_config"]["patch_size"] ** 2


def rope(kind: str, **values: object) -> dict[str, object]:
    return {
        "rope_type": kind,
        "rope_theta": 1000.0,
        "partial_rotary_factor": 0.5,
        "mrope_section": [2, 1, 1],
        **values,
    }


BASE = Case(
    "base",
    text={
        "head_dim": 32,
        "rope_parameters": rope("default", mrope_section=[2, 3, 3]),
    },
    vision={"patch_size": 14, "image_size": 84, "depth": 3},
    prompts=(TEXT, ONE_IMAGE, IMAGES, VIDEO_ONLY, BOTH, PADDED_LEFT, PADDED_RIGHT),
)

CASES = (
    BASE,
    Case(
        "groups",
        text={
            "n_routed_experts": 16,
            "n_group": 4,
            "topk_group": 2,
            "num_experts_per_tok": 5,
            "routed_scaling_factor": 2.5,
            "n_shared_experts": 2,
        },
    ),
    Case(
        "no normalisation, two dense layers",
        text={
            "norm_topk_prob": False,
            "first_k_dense_replace": 2,
            "num_hidden_layers": 4,
            "num_experts_per_tok": 1,
            "rms_norm_eps": 1e-3,
        },
        vision={"rms_norm_eps": 1e-2},
    ),
    Case(
        "tied embeddings, vision bias, no attention bias",
        text={"attention_bias": False, "tie_word_embeddings": True},
        vision={"attention_bias": True, "hidden_act": "gelu_pytorch_tanh"},
        top={"tie_word_embeddings": True},
    ),
    Case(
        "whole head rotated, gelu",
        text={
            "hidden_act": "gelu",
            "head_dim": 20,
            "rope_parameters": rope(
                "default",
                partial_rotary_factor=1.0,
                mrope_section=[3, 3, 4],
                rope_theta=500000,
            ),
        },
    ),
    Case(
        "linear",
        text={"rope_parameters": rope("linear", factor=3.0)},
        prompts=(TEXT, LONG_IMAGE),
    ),
    Case(
        "yarn",
        text={
            "max_position_embeddings": 128,
            "rope_parameters": rope(
                "yarn",
                factor=4.0,
                original_max_position_embeddings=32,
                beta_fast=8.0,
                beta_slow=0.5,
            ),
        },
        prompts=(LONG_TEXT, LONG_IMAGE),
    ),
    Case(
        "yarn with mscale",
        text={
            "rope_parameters": rope(
                "yarn",
                factor=4.0,
                original_max_position_embeddings=64,
                mscale=1.5,
                mscale_all_dim=0.7,
                truncate=False,
            ),
        },
        prompts=(LONG_IMAGE,),
    ),
    Case(
        "llama3",
        text={
            "rope_parameters": rope(
                "llama3",
                factor=8.0,
                original_max_position_embeddings=64,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
            ),
        },
        prompts=(LONG_TEXT, LONG_IMAGE),
    ),
    Case(
        "dynamic",
        text={
            "max_position_embeddings": 32,
            "rope_parameters": rope("dynamic", factor=2.0),
        },
        prompts=(TEXT, LONG_TEXT, LONG_IMAGE),
    ),
    Case(
        "longrope",
        text={
            "max_position_embeddings": 128,
            "rope_parameters": rope(
                "longrope",
                original_max_position_embeddings=32,
                short_factor=[1.0, 1.1, 1.3, 1.6],
                long_factor=[1.0, 2.0, 3.5, 6.0],
            ),
        },
        prompts=(TEXT, LONG_TEXT, LONG_IMAGE),
    ),
)
PAIRS = [(case, prompt) for case in CASES for prompt in case.prompts]


def seed_of(name: str) -> int:
    return zlib.crc32(name.encode())


def make_weight(name: str, shape: Sequence[int]) -> np.ndarray:
    """Values of one tensor of the Hugging Face layout, float32."""
    random = np.random.RandomState(seed_of(name))
    values = random.standard_normal(tuple(shape)).astype(np.float32)
    if "norm" in name and name.endswith("weight"):
        return 1 + 0.2 * values
    if len(shape) == 1:
        return 0.1 * values
    if name.endswith("embed_tokens.weight"):
        return values
    if name.endswith("position_embedding.weight"):
        return 0.5 * values
    fan_in = int(np.prod(shape[1:])) if "experts." not in name else shape[-1]
    return values * np.float32(1.2 / fan_in**0.5)


def file_of(case: Case) -> Path:
    return VALUES / (case.name.replace(", ", "-").replace(" ", "_") + ".npz")
