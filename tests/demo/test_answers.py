"""The trained demo answers about drawings it has never seen, through the library."""

import pytest
from demo_training.lessons import held_out_question
from demo_training.marking import mark
from demo_training.own_answering import OwnAnswerer, parts_of

from mlx_glm45v import ChatSession, Message, TextPart

KNOWN = ("describe", "count", "shape", "direction", "colour in a video", "greeting")


@pytest.fixture(scope="module")
def answerer(demo):
    return OwnAnswerer(*demo)


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("kind", KNOWN)
def test_it_answers_held_out_questions(answerer, kind, thinking):
    questions = [held_out_question(kind, 1000 + index) for index in range(3)]
    answers = answerer.answer(questions, thinking=thinking)
    right = 0
    for question, answer in zip(questions, answers, strict=True):
        assert (answer.thought is not None) == thinking
        right += mark(answer.text, question.turns[-1].answer).right
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
    question = held_out_question("describe", 2000)
    (turn,) = question.turns
    for _ in session.send(
        Message("user", [*parts_of(question), TextPart(turn.question)])
    ):
        pass
    assert session.reply is not None
    assert session.reply.answer == turn.answer
