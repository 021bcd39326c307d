"""Conversations to learn from: pictures, token ids, positions, and what to predict.

Knows how a conversation is written (as the chat template does, checked by a test) and
which of its tokens the model has to say. Does not know the model or torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import numpy as np
from demo_training.cells import cells_between, cells_of, place_at
from demo_training.checkpoint_files import image_config, video_config
from PIL import Image, ImageFilter
from tokenizers import Tokenizer

from mlx_glm45v.demo import questions
from mlx_glm45v.demo.clips import Clip, random_clip
from mlx_glm45v.demo.questions import Exchange
from mlx_glm45v.demo.scenes import COUNTS, Scene, add_noise, draw, random_scene
from mlx_glm45v.processing.image_processor import ImageProcessor, resize
from mlx_glm45v.processing.positions import PlaceholderRun, rope_positions

STILLS = ImageProcessor.from_dict(image_config())
FRAMES = ImageProcessor.from_dict(video_config())
CANVASES = (
    *((112, 112),) * 5,
    (112, 168),
    (168, 112),
    (84, 140),
    (140, 84),
    (196, 112),
    (112, 84),
    (140, 112),
    (224, 168),
    (320, 240),
    (448, 336),
    (336, 336),
    (160, 120),
)
CLIP_CANVASES = ((112, 112), (112, 112), (112, 84), (84, 112), (140, 84), (320, 240))
SYSTEMS = ("You are a helpful assistant.", "Be brief.", "Answer in one sentence.")


@dataclass(frozen=True)
class Media:
    """Frame pairs of one picture or video; `seconds` is None for a picture.

    `pairs` holds (h/14 * w/14, 1176) patches each, all of one `grid` (h/14, w/14), and
    `cells` what is drawn where, see `demo_training.cells`; `path` is where a video's
    figure is in each pair.
    """

    pairs: tuple[np.ndarray, ...]
    grid: tuple[int, int]
    cells: np.ndarray
    seconds: tuple[int, ...] | None = None
    path: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Turn:
    """A question with the picture or video that is shown along with it, if any."""

    exchange: Exchange
    media: Media | None = None


@dataclass(frozen=True)
class Sample:
    """A conversation in numbers: ids, positions (3, L), targets (L,) and its media.

    `marks` (K, 5) has a row for each time text of a video: its token's index, where the
    figure is by then, and how far that is from where it started.
    """

    ids: np.ndarray
    positions: np.ndarray
    targets: np.ndarray
    marks: np.ndarray
    media: tuple[Media, ...]


def weathered(random: Random, pixels: np.ndarray) -> np.ndarray:
    """The pixels after a little blur or noise, as cameras and codecs add them."""
    if random.random() < 0.25:
        blur = ImageFilter.GaussianBlur(random.uniform(0.3, 0.8))
        pixels = np.asarray(Image.fromarray(pixels).filter(blur))
    if random.random() < 0.35:
        deviation, seed = random.uniform(0.5, 7.0), random.getrandbits(32)
        pixels = add_noise(pixels, deviation=deviation, seed=seed)
    return pixels


def still_pixels(random: Random, scene: Scene) -> np.ndarray:
    """The scene drawn at one to three times its size, then fitted to the budget."""
    height, width = STILLS.target_size(scene.width, scene.height)
    scale = 1.0 if scene.width > 168 else random.choice((1.0, 1.5, 2.0, 3.0))
    return weathered(random, resize(draw(scene, scale=scale), width, height))


def clip_pixels(random: Random, clip: Clip) -> list[np.ndarray]:
    """The clip's frames at two a second, fitted to the budget."""
    count, scene = int(clip.seconds * 2), clip.scene
    height, width = FRAMES.frames_size(
        count, scene.width, scene.height, max_pixels=None, name="the clip"
    )
    scale = 1.0 if scene.width > 168 else random.choice((1.0, 2.0))
    return [
        weathered(random, resize(clip.frame(i / 2, scale=scale), width, height))
        for i in range(count)
    ]


def still_media(random: Random, scene: Scene) -> Media:
    """The scene as patches."""
    patches = STILLS.patches([still_pixels(random, scene)])
    grid = patches.grid_thw[1:]
    return Media((patches.pixel_values,), grid, cells_of(scene, grid))


def clip_media(random: Random, clip: Clip) -> Media:
    """The clip as frame pairs, each with its second."""
    frames = clip_pixels(random, clip)
    pairs = [FRAMES.patches(frames[i : i + 2]) for i in range(0, len(frames), 2)]
    grid = pairs[0].grid_thw[1:]
    cells = [cells_between(clip, second, grid) for second in range(len(pairs))]
    return Media(
        tuple(pair.pixel_values for pair in pairs),
        grid,
        np.concatenate(cells),
        tuple(range(len(pairs))),
        tuple(place_at(clip, second + 0.25) for second in range(len(pairs))),
    )


class Writer:
    """Turns a conversation into numbers with the checkpoint's tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.image_id = self._encode("<|image|>")[0]
        self._encode = lru_cache(maxsize=50_000)(self._encode)

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def media_text(self, media: Media) -> str:
        """Placeholders between their tags; a video's pairs carry their seconds."""
        tokens = "<|image|>" * (media.grid[0] * media.grid[1] // 4)
        image = f"<|begin_of_image|>{tokens}<|end_of_image|>"
        if media.seconds is None:
            return image
        pairs = "".join(f"{image}{second}" for second in media.seconds)
        return f"<|begin_of_video|>{pairs}<|end_of_video|>"

    def pieces(
        self,
        turns: Sequence[Turn],
        *,
        thinking: bool,
        system: str | None = None,
        media_last: bool = False,
    ) -> list[tuple[str, bool]]:
        """The conversation's text in order; True where the model speaks."""
        told: list[tuple[str, bool]] = [("[gMASK]<sop>", False)]
        if system:
            told.append((f"<|system|>\n{system}", False))
        told.append(("<|user|>", False))
        for index, turn in enumerate(turns):
            shown = self.media_text(turn.media) if turn.media else ""
            question, answer = turn.exchange.question, turn.exchange.answer
            said = f"{question}{shown}" if media_last else f"{shown}{question}"
            switch = "" if thinking else "/nothink"
            told.append((f"\n{said}{switch}<|assistant|>\n", False))
            if thinking and index == len(turns) - 1:
                told.append((f"<think>{turn.exchange.thought}</think>\n", True))
            else:
                told.append(("<think></think>\n", False))
            told.append((f"{answer}<|user|>", True))
        return told

    def sample(
        self,
        turns: Sequence[Turn],
        *,
        thinking: bool,
        system: str | None = None,
        media_last: bool = False,
    ) -> Sample:
        """Numbers of the conversation; `targets` is the id to predict next, or -100."""
        ids: list[int] = []
        spoken: list[bool] = []
        for text, is_spoken in self.pieces(
            turns, thinking=thinking, system=system, media_last=media_last
        ):
            new = self._encode(text)
            ids += new
            spoken += [is_spoken] * len(new)
        row = np.array(ids, dtype=np.int64)
        targets = np.full(len(ids), -100, dtype=np.int64)
        says = np.array(spoken[1:])
        targets[:-1][says] = row[1:][says]
        media = tuple(turn.media for turn in turns if turn.media)
        positions = positions_of(row, self.image_id, media)
        marks = marks_of(row, self.image_id, media)
        return Sample(row, positions, targets, marks, media)


def marks_of(ids: np.ndarray, image_id: int, media: Sequence[Media]) -> np.ndarray:
    """See `Sample.marks`; the time text stands behind a pair's closing tag."""
    if len(media) != 1 or not media[0].path:
        return np.zeros((0, 5), np.float32)
    ends = np.flatnonzero((ids[:-1] == image_id) & (ids[1:] != image_id))
    path = np.array(media[0].path)
    return np.column_stack([ends + 2, path, path - path[0]]).astype(np.float32)


def positions_of(ids: np.ndarray, image_id: int, media: Sequence[Media]) -> np.ndarray:
    """M-RoPE positions (3, L) of a conversation about pictures or videos."""
    places = np.flatnonzero(ids == image_id).tolist()
    runs, used = [], 0
    for one in media:
        grid = (1, *one.grid)
        tokens = one.grid[0] * one.grid[1] // STILLS.merge_size**2
        for _ in one.pairs:
            runs.append(PlaceholderRun(places[used], places[used] + tokens, grid))
            used += tokens
    return rope_positions(len(ids), runs, merge_size=STILLS.merge_size)[0]


def still_sample(
    writer: Writer,
    random: Random,
    *,
    canvas: tuple[int, int],
    turns: int = 1,
    pictures: int = 1,
    counts: Sequence[int] = COUNTS,
    more_colours: bool = False,
) -> Sample:
    """A conversation about pictures of `canvas` (width, height), `turns` about each.

    A picture holds one of `counts` figures. With `more_colours` half of the first
    questions are what colour a shape has.
    """
    told = []
    for _ in range(pictures):
        count = random.choice(counts)
        scene = random_scene(random, width=canvas[0], height=canvas[1], count=count)
        asked = random.sample(questions.SCENE_QUESTIONS, turns)
        if more_colours and random.random() < 0.5:
            asked = [questions.colour, *(a for a in asked if a != questions.colour)]
            asked = asked[:turns]
        told.append(Turn(asked[0](random, scene), still_media(random, scene)))
        told += [Turn(ask(random, scene)) for ask in asked[1:]]
    return writer.sample(
        told,
        thinking=random.random() < 0.5,
        system=random.choice(SYSTEMS) if random.random() < 0.06 else None,
        media_last=random.random() < 0.12,
    )


def clip_sample(
    writer: Writer,
    random: Random,
    *,
    canvas: tuple[int, int],
    seconds: float,
    turns: int = 1,
) -> Sample:
    """A conversation about a video of `canvas` (width, height)."""
    clip = random_clip(random, width=canvas[0], height=canvas[1], seconds=seconds)
    first, *others = random.sample(questions.CLIP_QUESTIONS, turns)
    told = [Turn(first(random, clip), clip_media(random, clip))]
    told += [Turn(ask(random, clip)) for ask in others]
    return writer.sample(told, thinking=random.random() < 0.5)


def text_sample(writer: Writer, random: Random) -> Sample:
    """A greeting, or a question that lacks its picture."""
    turn = Turn(questions.greeting(random))
    return writer.sample([turn], thinking=random.random() < 0.5)
