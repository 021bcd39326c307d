"""What is taught and scored: formats of media, and the kinds of questions about each.

Knows how a kind's media and turns are drawn from a seed, in training or held out. Does
not know pixels or tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from mlx_glm45v.demo import asking, boxes, questions, turns
from mlx_glm45v.demo.clips import LASTING, Clip
from mlx_glm45v.demo.drawing import (
    Appearance,
    combined_clip,
    combined_scene,
    fitting_kinds,
    random_appearance,
    recast,
    shows_held_out,
    starts_held_out,
)
from mlx_glm45v.demo.pages import Page, random_page
from mlx_glm45v.demo.questions import Exchange
from mlx_glm45v.demo.scenes import Scene
from mlx_glm45v.demo.words import NEVER_SEEN

Shown = tuple[Scene | Clip | Appearance | Page, ...]
Turns = tuple[Exchange, ...]

CANVASES = (
    *((112, 112),) * 6,
    *((140, 112),) * 2,
    (112, 168),
    (168, 112),
    (84, 140),
    (140, 84),
    (112, 84),
    (224, 168),
    (448, 336),
    (320, 240),
)
# Held-out questions before this one are watched during training, which may follow them.
SCORED_FROM = 1000
CLIP_CANVASES = ((112, 112), (112, 112), (112, 84), (84, 112), (140, 84), (320, 240))
FEW = (1, 2, 2)
STILL = 0.08  # of the clips in training, beside those that are drawn so


@dataclass(frozen=True)
class Frame:
    """What the media of one batch have in common: a picture's and a clip's canvas."""

    picture: tuple[int, int]
    clip: tuple[int, int]
    seconds: float

    @classmethod
    def chosen(cls, random: Random) -> Frame:
        """One at random."""
        return cls(
            random.choice(CANVASES),
            random.choice(CLIP_CANVASES),
            random.choice(LASTING),
        )


@dataclass(frozen=True)
class Lesson:
    """A kind of question: its media's format, and its turns, of which the last counts.

    `share` is how often it is chosen among the kinds of its format.
    """

    format: str
    ask: Callable[[Random, Shown], Turns]
    share: float = 1.0


def _scene(random: Random, frame: Frame, *, held_out: bool) -> Shown:
    width, height = frame.picture
    return (combined_scene(random, held_out=held_out, width=width, height=height),)


def _few(random: Random, frame: Frame, *, held_out: bool) -> Scene:
    width, height = frame.picture
    return combined_scene(
        random, held_out=held_out, width=width, height=height, counts=FEW
    )


def _pictures(random: Random, frame: Frame, *, held_out: bool) -> Shown:
    """Two or three scenes, at least one with a figure that the others have not."""
    count = 2 if frame.seconds < 3 else 3
    while True:
        scenes = tuple(_few(random, frame, held_out=held_out) for _ in range(count))
        names = [name for scene in scenes for name in {f.name for f in scene.figures}]
        if any(names.count(name) == 1 for name in names):
            return scenes


def _later(random: Random, frame: Frame, *, held_out: bool) -> Shown:
    return tuple(_scene(random, frame, held_out=held_out)[0] for _ in range(2))


def _change(random: Random, frame: Frame, *, held_out: bool) -> Shown:
    width, height = frame.picture
    sort = random.choice(("gone", "new", "colour", "colour", "nothing"))
    while True:
        scene = combined_scene(
            random, held_out=held_out, width=width, height=height, counts=(2, 2, 3)
        )
        if sort == "nothing":
            return scene, scene
        index = random.randrange(len(scene.figures))
        before, after = scene.figures[:index], scene.figures[index + 1 :]
        other = replace(scene, figures=before + after)
        if sort == "gone":
            return scene, other
        if sort == "new":
            return other, scene
        figure = scene.figures[index]
        taken = [one.name for one in scene.figures]
        fitting = fitting_kinds(scene, figure, held_out=held_out, taken=taken)
        kinds = [kind for kind in fitting if kind[0] == figure.shape]
        if kinds:
            now = recast(random, figure, kinds)
            return scene, replace(scene, figures=(*before, now, *after))


def _page(random: Random, frame: Frame, *, held_out: bool) -> Shown:
    del frame
    return (random_page(random, held_out=held_out),)


def _clip(random: Random, frame: Frame, *, held_out: bool) -> Shown:
    width, height = frame.clip
    clip = combined_clip(
        random, held_out=held_out, width=width, height=height, seconds=frame.seconds
    )
    if not held_out and random.random() < STILL:
        clip = replace(clip, direction="still", distance=0.0)
    return (clip,)


def _appearance(random: Random, frame: Frame, *, held_out: bool) -> Shown:
    width, height = frame.clip
    return (
        random_appearance(
            random,
            held_out=held_out,
            width=width,
            height=height,
            seconds=max(3.0, frame.seconds),
        ),
    )


def _beside(random: Random, frame: Frame, *, held_out: bool) -> Shown:
    alike = random.random() < 0.5
    while True:
        scene = _few(random, frame, held_out=held_out)
        (clip,) = _clip(random, frame, held_out=held_out)
        assert isinstance(clip, Clip)
        if alike:
            shown = random.choice(scene.figures)
            clip = _starring(random, clip, (shown.shape, shown.colour))
        elif clip.figure.name in {figure.name for figure in scene.figures}:
            continue
        if starts_held_out(clip) if held_out else not shows_held_out(clip):
            return (scene, clip) if random.random() < 0.7 else (clip, scene)


def _starring(random: Random, clip: Clip, kind: tuple[str, str]) -> Clip:
    """The same movement of another kind of figure."""
    figure = recast(random, clip.figure, [kind])
    return replace(clip, scene=replace(clip.scene, figures=(figure,)))


def _nothing(random: Random, frame: Frame, *, held_out: bool) -> Shown:
    del random, frame, held_out
    return ()


FORMATS: Mapping[str, Callable[..., Shown]] = {
    "picture": _scene,
    "pictures": _pictures,
    "change": _change,
    "later picture": _later,
    "page": _page,
    "clip": _clip,
    "appearance": _appearance,
    "picture and clip": _beside,
    "nothing": _nothing,
}


def _last(ask: Callable[..., Exchange]) -> Callable[[Random, Shown], Turns]:
    """Asked about the last medium."""
    return lambda random, shown: (ask(random, shown[-1]),)


def _one(ask: Callable[..., Exchange]) -> Callable[[Random, Shown], Turns]:
    """Asked about the only medium."""
    return lambda random, shown: (ask(random, shown[0]),)


def _all(ask: Callable[..., Exchange]) -> Callable[[Random, Shown], Turns]:
    """Asked about all media together."""
    return lambda random, shown: (ask(random, shown),)


def _parted(shown: Shown) -> tuple[Scene, Clip]:
    first, second = shown
    if isinstance(first, Clip):
        first, second = second, first
    assert isinstance(first, Scene)
    assert isinstance(second, Clip)
    return first, second


def _both(ask: Callable[..., Exchange]) -> Callable[[Random, Shown], Turns]:
    return lambda random, shown: (ask(random, *_parted(shown)),)


def _unknown(random: Random, shown: Shown) -> Turns:
    del shown
    return (asking.unknown(random),)


def _unknown_unseen(random: Random, shown: Shown) -> Turns:
    del shown
    return (asking.unknown(random, NEVER_SEEN),)


def _greeting(random: Random, shown: Shown) -> Turns:
    del shown
    return (questions.greeting(random),)


def _turns(random: Random, shown: Shown) -> Turns:
    (scene,) = shown
    assert isinstance(scene, Scene)
    ask = random.choice(
        (
            turns.colour_then_another,
            turns.colour_then_another,
            turns.three_of_one,
            turns.shape_then_place,
        )
    )
    return ask(random, scene)


def _second(random: Random, shown: Shown) -> Turns:
    return _turns(random, shown)[:2]


def _clip_turns(random: Random, shown: Shown) -> Turns:
    (clip,) = shown
    assert isinstance(clip, Clip)
    asked = random.sample(
        (questions.describe_clip, questions.direction, questions.clip_colour), 3
    )
    told = tuple(ask(random, clip) for ask in asked)
    return told[: random.choice((2, 3))]


LESSONS: Mapping[str, Lesson] = {
    "describe": Lesson("picture", _one(questions.describe), 0.5),
    "count": Lesson("picture", _one(questions.count), 0.4),
    "count of a shape": Lesson("picture", _one(questions.count_some), 3.0),
    "colour": Lesson("picture", _one(questions.colour), 0.7),
    "shape": Lesson("picture", _one(questions.shape), 0.7),
    "box": Lesson("picture", _one(boxes.box), 3.0),
    "second turn": Lesson("picture", _second, 0.6),
    "third turn": Lesson("picture", _turns, 0.8),
    "never taught": Lesson("picture", _unknown, 0.5),
    "describe a later picture": Lesson("later picture", _last(questions.describe)),
    "shape in a later picture": Lesson("later picture", _last(questions.shape), 2.0),
    "page": Lesson("page", _one(asking.read)),
    "which picture": Lesson("pictures", _all(asking.which_picture), 3.0),
    "one of several": Lesson("pictures", _all(asking.of_picture)),
    "what changed": Lesson("change", _all(asking.changed)),
    "describe one of a change": Lesson("change", _all(asking.of_picture), 0.5),
    "describe video": Lesson("clip", _one(questions.describe_clip)),
    "direction": Lesson("clip", _one(questions.direction), 1.5),
    "colour in a video": Lesson("clip", _one(questions.clip_colour), 0.6),
    "turns about a video": Lesson("clip", _clip_turns, 0.6),
    "when": Lesson("appearance", _one(asking.when)),
    "picture and video": Lesson("picture and clip", _both(asking.in_both), 2.0),
    "one of both": Lesson("picture and clip", _both(asking.beside_clip)),
    "greeting": Lesson("nothing", _greeting),
    "never taught, no picture": Lesson("nothing", _unknown),
}
SCORED = tuple(LESSONS)
# Scored with nouns that training never uses.
UNSEEN_NOUNS: Mapping[str, Callable[[Random, Shown], Turns]] = {
    "never taught": _unknown_unseen,
    "never taught, no picture": _unknown_unseen,
}


@dataclass(frozen=True)
class Question:
    """What is shown and asked; the last of the turns is the one that counts.

    With `earlier` the first medium has a turn of its own before the others.
    """

    shown: Shown
    turns: Turns
    random: Random
    earlier: Exchange | None = None


def held_out_question(kind: str, index: int) -> Question:
    """The `index`-th held-out question of a kind."""
    random = Random(f"held out:{kind}:{index}")
    lesson = LESSONS[kind]
    frame = Frame.chosen(random)
    shown = FORMATS[lesson.format](random, frame, held_out=True)
    ask = UNSEEN_NOUNS.get(kind, lesson.ask)
    asked = ask(random, shown)
    earlier = None
    if lesson.format == "later picture":
        first = shown[0]
        assert isinstance(first, Scene)
        earlier = questions.describe(random, first)
    return Question(shown, asked, random, earlier)
