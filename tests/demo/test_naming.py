"""Where texts name figures."""

import pytest

pytest.importorskip("torch")

from demo_training.naming import Mention, mentions_of

from mlx_glm45v.demo.scenes import COLOURS, SHAPES


def word_at(text, mention):
    return text[: mention.end + 1].split()[-1]


def kind_of(shape, colour):
    return (
        SHAPES.index(shape) + 1 if shape else 0,
        list(COLOURS).index(colour) + 1 if colour else 0,
    )


@pytest.mark.parametrize(
    ("text", "word", "kind"),
    [
        ("Where is the red circle?", "circle", ("circle", "red")),
        ("How many stars are there?", "stars", ("star", None)),
        ("And the square?", "square", ("square", None)),
        ("What is blue?", "blue", (None, "blue")),
    ],
)
def test_a_phrase_is_marked_at_its_last_letter(text, word, kind):
    (mention,) = mentions_of(text)
    assert word_at(text, mention) == word
    assert mention[1:] == kind_of(*kind)


def test_a_shape_without_a_name_is_marked_at_its_colour_too():
    text = "Which picture has the green shape?"
    first, second = mentions_of(text)
    assert (word_at(text, first), word_at(text, second)) == ("green", "shape")
    assert first[1:] == second[1:] == kind_of(None, "green")


def test_an_answer_may_name_many():
    text = "The picture shows a red circle, a blue star and an orange square."
    assert [word_at(text, one) for one in mentions_of(text)] == [
        "circle",
        "star",
        "square",
    ]


def test_other_words_name_nothing():
    assert mentions_of("How many shapes are there? I stare at a startling scene.") == []
    assert isinstance(mentions_of("a star")[0], Mention)
