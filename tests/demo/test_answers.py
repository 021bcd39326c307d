"""The trained demo answers about drawings it has never seen, through the library."""

import pytest
from demo_training.lessons import SCORED, held_out_question
from demo_training.marking import mark, overlap
from demo_training.own_answering import OwnAnswerer, parts_of

from mlx_glm45v import ChatSession, Message, TextPart
from mlx_glm45v.demo.boxes import box_of


@pytest.fixture(scope="module")
def answerer(demo):
    return OwnAnswerer(*demo)


@pytest.mark.parametrize("kind", SCORED)
def test_it_answers_held_out_questions_of_every_kind(answerer, kind):
    right = 0
    for thinking in (True, False):
        indices = range(1000, 1004, 2) if thinking else range(1001, 1004, 2)
        questions = [held_out_question(kind, index) for index in indices]
        answers = answerer.answer(questions, thinking=thinking)
        for question, answer in zip(questions, answers, strict=True):
            assert (answer.thought is not None) == thinking
            last = question.turns[-1]
            right += mark(answer.text, last.answer, last.box).right
    assert right >= 3


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
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Describe the picture.", "The picture shows a red circle, a blue square and"),
        ("How many shapes are there?", "There are three shapes."),
        ("What colour is the star?", "The star is yellow."),
    ],
)
def test_it_answers_about_the_example_picture(
    demo, demo_media, question, answer, thinking
):
    reply = ChatSession(*demo).ask(
        question, images=[demo_media / "example.png"], thinking=thinking
    )
    assert reply.answer.startswith(answer)


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize(
    ("video", "question", "answer"),
    [
        ("example", "What happens in the video?", "A green circle moves to the right."),
        (
            "example",
            "Which way does the shape move?",
            "The shape moves to the right.",
        ),
        (
            "appears",
            "When does the star appear?",
            "The star appears at 2 seconds.",
        ),
    ],
)
def test_it_answers_about_the_example_videos(
    demo, demo_media, video, question, answer, thinking
):
    reply = ChatSession(*demo).ask(
        question, videos=[demo_media / f"{video}.mp4"], thinking=thinking
    )
    assert reply.answer == answer


def test_it_tells_what_changed(demo, demo_media):
    pictures = [demo_media / "example.png", demo_media / "changed.png"]
    reply = ChatSession(*demo).ask("What changed?", images=pictures, thinking=False)
    assert reply.answer == "The star was yellow and is now green."


def test_it_reads_the_page(demo, demo_media):
    from draw_demo_media import PAGE

    reply = ChatSession(*demo).ask(
        "Read the text.", images=[demo_media / "page.png"], thinking=False
    )
    assert reply.answer == PAGE.text


def test_its_box_covers_the_star(demo, demo_media):
    from draw_demo_media import SCENE

    reply = ChatSession(*demo).ask(
        "Where is the star?", images=[demo_media / "example.png"], thinking=False
    )
    (box,) = reply.boxes
    found = tuple(
        round(edge * 1000 / side)
        for edge, side in zip(
            (box.left, box.top, box.right, box.bottom), (448, 336) * 2, strict=True
        )
    )
    assert overlap(found, box_of(SCENE, SCENE.figures[-1])) >= 0.7


def test_it_says_that_it_does_not_know(demo, demo_media):
    reply = ChatSession(*demo).ask(
        "Where is the elephant?", images=[demo_media / "example.png"], thinking=False
    )
    assert reply.answer == "I do not know. I was never taught that."


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
