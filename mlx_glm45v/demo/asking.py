"""Questions beyond one drawing: boxes, pages, pairs, times, and what was never taught.

Knows wordings, thoughts and answers, as `questions` does. Does not know pixels, tokens
or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from mlx_glm45v.demo.boxes import called_by
from mlx_glm45v.demo.clips import Clip
from mlx_glm45v.demo.drawing import Appearance
from mlx_glm45v.demo.pages import Page
from mlx_glm45v.demo.questions import (
    Exchange,
    all_figures,
    describe_clip,
    direction,
    with_article,
    wording,
)
from mlx_glm45v.demo.scenes import Scene
from mlx_glm45v.demo.words import NEVER_SEEN, NEVER_TAUGHT

_KEPT = frozenset(noun.lower() for noun in NEVER_SEEN)
ORDINALS = ("first", "second", "third")
READ = (
    "Read the text.",
    "Read the page.",
    "Read this.",
    "Read it out.",
    "What does the text say?",
    "What does it say?",
    "What is written there?",
    "What does the page say?",
    "Describe the picture.",
    "What do you see?",
)
WHICH_PICTURE = (
    "Which picture has the {}?",
    "Which picture shows the {}?",
    "In which picture is the {}?",
    "Which picture is the {} in?",
)
OF_PICTURE = (
    "Describe the {} picture.",
    "What is in the {} picture?",
    "What does the {} picture show?",
)
CHANGED = (
    "What changed?",
    "What has changed?",
    "What is different?",
    "What changed between the pictures?",
    "What is the difference?",
)
WHEN = (
    "When does the {} appear?",
    "When does the {} come?",
    "At what time does the {} appear?",
    "From when on is the {} there?",
    "At which second does the {} appear?",
)
IN_BOTH = (
    "Does the picture show what moves in the video?",
    "Is the shape of the video in the picture?",
    "Does the picture have the shape of the video?",
    "Is there the same shape in the picture?",
)
UNKNOWN_ANSWER = "I do not know. I was never taught that."
UNKNOWN = (
    "What colour is the {}?",
    "What color is the {}?",
    "Where is the {}?",
    "How many {}s are there?",
    "What is the capital of {}?",
    "Who is {}?",
    "What is a {}?",
    "How old is the {}?",
    "What does the {} do?",
    "Is there a {} in the picture?",
    "Tell me about the {}.",
    "How do I make a {}?",
    "What is {} in French?",
    "Why is the {} so big?",
    "When was the {} built?",
    "How far is it to {}?",
    "Who made the {}?",
    "Which way does the {} move?",
    "Write a poem about a {}.",
    "Can you draw a {}?",
)


def read(random: Random, page: Page) -> Exchange:
    """All words of a page."""
    return Exchange(wording(random, READ), "I see text. I read it.", page.text)


def _all_told(scenes: Sequence[Scene]) -> str:
    return " ".join(
        f"The {ORDINALS[index]} picture shows {all_figures(scene)}."
        for index, scene in enumerate(scenes)
    )


def which_picture(random: Random, scenes: Sequence[Scene]) -> Exchange:
    """The picture that has a figure which the others have not.

    Raises ValueError where none has one.
    """
    calls = [_only_in(scenes, index) for index in range(len(scenes))]
    if not any(calls):
        raise ValueError("every figure is in two of the pictures")
    index = random.randrange(len(scenes))
    while not calls[index]:
        index = random.randrange(len(scenes))
    called = random.choice(calls[index])
    return Exchange(
        wording(random, WHICH_PICTURE, called),
        _all_told(scenes),
        f"The {ORDINALS[index]} picture has the {called}.",
    )


def _only_in(scenes: Sequence[Scene], index: int) -> list[str]:
    """What to call the figures of one picture that the others have not."""
    others = [
        figure
        for other, scene in enumerate(scenes)
        if other != index
        for figure in scene.figures
    ]
    figures = scenes[index].figures
    calls = [f.name for f in figures if f.name not in {o.name for o in others}]
    calls += [f.shape for f in figures if f.shape not in {o.shape for o in others}]
    calls += [
        f"{f.colour} shape"
        for f in figures
        if f.colour not in {o.colour for o in others}
    ]
    return calls


def of_picture(random: Random, scenes: Sequence[Scene]) -> Exchange:
    """What one of several pictures shows."""
    index = random.randrange(len(scenes))
    name = ORDINALS[index]
    return Exchange(
        wording(random, OF_PICTURE, name),
        f"I look at the {name} picture.",
        f"The {name} picture shows {all_figures(scenes[index])}.",
    )


def changed(random: Random, scenes: Sequence[Scene]) -> Exchange:
    """What is different in the second picture."""
    before, after = scenes
    gone = [f for f in before.figures if f.name not in {o.name for o in after.figures}]
    new = [f for f in after.figures if f.name not in {o.name for o in before.figures}]
    if gone and new:
        answer = f"The {gone[0].shape} was {gone[0].colour} and is now {new[0].colour}."
    elif gone:
        answer = f"The {gone[0].name} is gone."
    elif new:
        answer = f"There is a new {new[0].name}."
    else:
        answer = "Nothing changed."
    return Exchange(wording(random, CHANGED), _all_told(scenes), answer)


def when(random: Random, clip: Appearance) -> Exchange:
    """The second at which a figure appears, or that it is there from the start."""
    figures = clip.scene.figures
    late = figures[-1]
    figure = late if random.random() < 0.75 else random.choice(figures[:-1])
    called = called_by(random, figure, figures)
    answer = (
        f"The {called} appears at {clip.since} seconds."
        if figure is late
        else f"The {called} is there from the start."
    )
    return Exchange(
        wording(random, WHEN, called),
        f"The {late.name} is not there at the start.",
        answer,
    )


def in_both(random: Random, scene: Scene, clip: Clip) -> Exchange:
    """Whether the picture shows what moves in the video."""
    name = clip.figure.name
    there = name in {figure.name for figure in scene.figures}
    return Exchange(
        wording(random, IN_BOTH),
        f"The video shows {with_article(name)}. "
        f"The picture shows {all_figures(scene)}.",
        f"Yes, both show {with_article(name)}."
        if there
        else f"No, only the video shows {with_article(name)}.",
    )


def beside_clip(random: Random, scene: Scene, clip: Clip) -> Exchange:
    """A question about one of a picture and a video."""
    if random.random() < 0.5:
        return random.choice((_video_told, direction))(random, clip)
    return Exchange(
        wording(random, ("Describe the picture.", "What is in the picture?")),
        "I look at the picture.",
        f"The picture shows {all_figures(scene)}.",
    )


def _video_told(random: Random, clip: Clip) -> Exchange:
    """A description asked for by the word video, which a picture stands beside."""
    told = describe_clip(random, clip)
    question = wording(random, ("Describe the video.", "What happens in the video?"))
    return replace(told, question=question)


def unknown(random: Random, nouns: Sequence[str] = NEVER_TAUGHT) -> Exchange:
    """A question about what was never taught."""
    noun = random.choice(nouns)
    if nouns is NEVER_TAUGHT and random.random() < 0.3:
        noun = _made_up(random)
    return Exchange(
        wording(random, UNKNOWN, noun),
        "I was not taught that.",
        UNKNOWN_ANSWER,
    )


def _made_up(random: Random) -> str:
    """A word of no meaning, and none of those that only the trained model is asked."""
    word = _syllables(random)
    while word in _KEPT:
        word = _syllables(random)
    return word.capitalize() if random.random() < 0.3 else word


def _syllables(random: Random) -> str:
    count = random.randint(2, 3)
    return "".join(
        random.choice("bcdfghjklmnprstvwz") + random.choice(("a", "e", "i", "o", "u"))
        for _ in range(count)
    ) + random.choice(("", "n", "r", "l", "s", "t", "x"))
