"""What can be asked about a scene or a clip, and what is true of it.

Knows wordings, thoughts and answers. Does not know pixels, tokens or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from mlx_glm45v.demo.clips import Clip
from mlx_glm45v.demo.scenes import COLOURS, SHAPES, Scene

NUMBERS = ("no", "one", "two", "three", "four")

DESCRIBE = (
    "Describe the picture.",
    "Describe this picture.",
    "Describe the image.",
    "Describe this image.",
    "Please describe the picture.",
    "What do you see?",
    "What can you see?",
    "What is in the picture?",
    "What is in this picture?",
    "What is in this image?",
    "What does the picture show?",
    "What is this?",
    "Which shapes do you see?",
    "Which shapes are in the picture?",
    "What shapes are there?",
    "Tell me what you see.",
)
COUNT = (
    "How many shapes are there?",
    "How many shapes do you see?",
    "How many shapes are in the picture?",
    "How many shapes can you see?",
    "Count the shapes.",
    "How many things are there?",
)
COUNT_SOME = (
    "How many {}s are there?",
    "How many {}s do you see?",
    "How many {}s are in the picture?",
    "Count the {}s.",
)
COLOUR = (
    "What colour is the {}?",
    "What color is the {}?",
    "Which colour is the {}?",
    "Which color is the {}?",
    "Which colour has the {}?",
    "What is the colour of the {}?",
    "What is the color of the {}?",
)
SHAPE = (
    "Which shape is {}?",
    "What shape is {}?",
    "What is {}?",
    "Which shape is the {} one?",
    "What shape is the {} one?",
    "What is the {} shape?",
)
DESCRIBE_CLIP = (
    "Describe the video.",
    "Describe this video.",
    "What happens in the video?",
    "What happens in this video?",
    "What happens?",
    "What do you see?",
    "What is in the video?",
    "What does the video show?",
    "Please describe the video.",
    "What moves?",
)
DIRECTION = (
    "Which way does the {} move?",
    "Which direction does the {} move?",
    "In which direction does the {} move?",
    "Which way is the {} moving?",
    "Which way is the {} going?",
    "Which way does the {} go?",
    "Where does the {} go?",
    "Where is the {} moving?",
    "Which direction is the {} moving?",
    "How does the {} move?",
)
GREETINGS = (
    "Hi",
    "Hi!",
    "Hello",
    "Hello!",
    "Hey",
    "Hi there",
    "Hello there!",
    "Good morning",
    "Who are you?",
    "What are you?",
    "What can you do?",
    "What do you do?",
    "Help",
)
GREETING = (
    "Hello! I am a small demo model. Show me a picture or a short video of simple "
    "shapes and ask me about it."
)
NO_PICTURE = "I see no picture. Please show me one."


@dataclass(frozen=True)
class Exchange:
    """A question, a thought that leads to its answer, and the answer.

    `box` is the box that the answer tells coarsely, in thousandths.
    """

    question: str
    thought: str
    answer: str
    box: tuple[int, int, int, int] | None = None


def with_article(name: str) -> str:
    """A red circle, an orange star."""
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def listed(names: Sequence[str]) -> str:
    """A red circle, a blue star and a green square."""
    told = [with_article(name) for name in names]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def all_figures(scene: Scene) -> str:
    """All figures of the scene, from left to right."""
    return listed([figure.name for figure in scene.figures])


def counted(number: int, noun: str) -> str:
    """There is one circle; there are two circles."""
    if number == 1:
        return f"There is one {noun}."
    return f"There are {NUMBERS[number]} {noun}s."


def wording(random: Random, wordings: Sequence[str], *names: str) -> str:
    """One of the wordings, at times in small letters or without its last mark."""
    question = random.choice(wordings).format(*names)
    if random.random() < 0.15:
        question = question[:-1] if question[-1] in "?.!" else question
    if random.random() < 0.2:
        question = question[0].lower() + question[1:]
    return question


def describe(random: Random, scene: Scene) -> Exchange:
    """All figures, from left to right."""
    names = [figure.name for figure in scene.figures]
    return Exchange(
        wording(random, DESCRIBE),
        "There is one shape. I name it."
        if len(names) == 1
        else f"{counted(len(names), 'shape')} I name them from left to right.",
        f"The picture shows {listed(names)}.",
    )


def count(random: Random, scene: Scene) -> Exchange:
    """The number of all figures."""
    names = [figure.name for figure in scene.figures]
    return Exchange(
        wording(random, COUNT),
        f"I see {listed(names)}.",
        counted(len(names), "shape"),
    )


def count_some(random: Random, scene: Scene) -> Exchange:
    """The number of figures of one shape, often of one there twice, or not at all."""
    there = [figure.shape for figure in scene.figures]
    often = [shape for shape in SHAPES if there.count(shape) > 1]
    absent = [shape for shape in SHAPES if shape not in there]
    sort = random.random()
    if often and sort < 0.4:
        shape = random.choice(often)
    elif absent and sort > 0.75:
        shape = random.choice(absent)
    else:
        shape = random.choice(there)
    return Exchange(
        wording(random, COUNT_SOME, shape),
        f"I see {listed([figure.name for figure in scene.figures])}.",
        counted(there.count(shape), shape),
    )


def colour(random: Random, scene: Scene) -> Exchange:
    """The colour of a shape that is there once, or that it is not there."""
    there = [figure.shape for figure in scene.figures]
    once = [figure for figure in scene.figures if there.count(figure.shape) == 1]
    seen = f"I see {listed([figure.name for figure in scene.figures])}."
    absent = [shape for shape in SHAPES if shape not in there]
    if not once or (absent and random.random() < 0.1):
        shape = random.choice(absent)
        answer = f"There is no {shape}."
    else:
        figure = random.choice(once)
        shape, answer = figure.shape, f"The {figure.shape} is {figure.colour}."
    return Exchange(wording(random, COLOUR, shape), seen, answer)


def shape(random: Random, scene: Scene) -> Exchange:
    """The shape of a colour that is there once, or that the colour is not there."""
    there = [figure.colour for figure in scene.figures]
    once = [figure for figure in scene.figures if there.count(figure.colour) == 1]
    seen = f"I see {listed([figure.name for figure in scene.figures])}."
    absent = [name for name in COLOURS if name not in there]
    if not once or (absent and random.random() < 0.1):
        name = random.choice(absent)
        answer = f"There is no {name} shape."
    else:
        figure = random.choice(once)
        name, answer = figure.colour, f"The {figure.colour} shape is a {figure.shape}."
    return Exchange(wording(random, SHAPE, name), seen, answer)


def describe_clip(random: Random, clip: Clip) -> Exchange:
    """What moves, and which way."""
    return Exchange(
        wording(random, DESCRIBE_CLIP),
        _path(clip),
        _move(with_article(clip.figure.name).capitalize(), clip),
    )


def direction(random: Random, clip: Clip) -> Exchange:
    """Which way the shape moves."""
    noun = random.choice(
        (clip.figure.shape, clip.figure.shape, clip.figure.name, "shape")
    )
    return Exchange(
        wording(random, DIRECTION, noun),
        _path(clip),
        _move(f"The {noun}", clip),
    )


def clip_colour(random: Random, clip: Clip) -> Exchange:
    """The colour of the shape in the clip."""
    noun = clip.figure.shape
    return Exchange(
        wording(random, COLOUR, noun),
        f"I see {with_article(clip.figure.name)}.",
        f"The {noun} is {clip.figure.colour}.",
    )


def _path(clip: Clip) -> str:
    name = clip.figure.name
    if clip.direction == "still":
        return f"The {name} stays where it is."
    start, end = {
        "right": ("on the left", "on the right"),
        "left": ("on the right", "on the left"),
        "up": ("at the bottom", "at the top"),
        "down": ("at the top", "at the bottom"),
    }[clip.direction]
    return f"The {name} starts further {start} and ends further {end}."


def _move(subject: str, clip: Clip) -> str:
    if clip.direction == "still":
        return f"{subject} does not move."
    way = {"right": "to the right", "left": "to the left"}.get(
        clip.direction, clip.direction
    )
    return f"{subject} moves {way}."


SCENE_QUESTIONS = (describe, count, count_some, colour, shape)


def greeting(random: Random) -> Exchange:
    """A greeting, or a question about a picture that was not given."""
    if random.random() < 0.7:
        return Exchange(
            wording(random, GREETINGS),
            "There is no picture. I say what I am.",
            GREETING,
        )
    wordings = random.choice((DESCRIBE, COUNT, DESCRIBE_CLIP))
    return Exchange(wording(random, wordings), "There is no picture.", NO_PICTURE)
