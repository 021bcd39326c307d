"""The trained demo answers about drawings it has never seen, through the library."""

import pytest
from demo_training.held_out import held_out
from demo_training.samples import clip_pixels, still_pixels

from mlx_glm45v import ChatSession, VideoPart
from mlx_glm45v.demo.scenes import Scene


def media_of(question) -> dict:
    if isinstance(question.shown, Scene):
        return {"images": [still_pixels(question.random, question.shown)]}
    if question.shown is None:
        return {}
    frames = clip_pixels(question.random, question.shown)
    times = tuple(index / 2 for index in range(len(frames)))
    return {"videos": [VideoPart(frames, times=times)]}


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize(
    "kind", ["describe", "count", "shape", "direction", "colour in a video", "greeting"]
)
def test_it_answers_held_out_questions(demo, kind, thinking):
    right = 0
    for index in range(3):
        question = held_out(kind, 1000 + index)
        reply = ChatSession(*demo).ask(
            question.exchange.question, **media_of(question), thinking=thinking
        )
        assert (reply.thinking is not None) == thinking
        right += reply.answer == question.exchange.answer
    assert right >= 2


def test_it_describes_the_example_picture(demo, demo_media):
    session = ChatSession(*demo)
    picture = demo_media / "example.png"
    reply = session.ask("Describe this image.", images=[picture], thinking=False)
    assert reply.answer == (
        "The picture shows a red circle, a blue square and a yellow star."
    )
    reply = session.ask("Which shape is blue?", thinking=False)
    assert reply.answer == "The blue shape is a square."


@pytest.mark.parametrize("thinking", [True, False])
def test_it_says_what_happens_in_the_example_video(demo, demo_media, thinking):
    reply = ChatSession(*demo).ask(
        "What happens in the video?",
        videos=[demo_media / "example.mp4"],
        thinking=thinking,
    )
    assert reply.answer == "A green circle moves to the right."


def test_a_second_picture_of_a_chat_is_looked_at(demo, demo_media):
    session = ChatSession(*demo)
    session.ask("How many shapes are there?", images=[demo_media / "example.png"])
    question = held_out("describe", 2000)
    reply = session.ask(question.exchange.question, **media_of(question))
    assert reply.answer == question.exchange.answer
