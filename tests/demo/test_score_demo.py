"""How a model's answers to held-out questions become scores."""

import pytest
from demo_training.answer import Answer
from demo_training.lessons import SCORED_FROM, held_out_question
from demo_training.own_answering import OwnAnswerer
from demo_training.packing import without_tags
from score_demo import BATCH, Score, compare, questions, score, shown_anothers


class Knowing:
    """Says what is true of a question's own media, and keeps what it was asked."""

    def __init__(self, *, thought: str | None = None) -> None:
        self.thought = thought
        self.asked = []
        self.blind = []

    def answer(self, questions, *, thinking, blind=False):
        del thinking
        self.asked += questions
        self.blind += [blind] * len(questions)
        return [
            Answer(self.thought, without_tags(question.turns[-1].answer))
            for question in questions
        ]


def told_of(questions):
    return [question.turns for question in questions]


def test_questions_are_none_that_training_watched():
    first, second = questions("colour", count=2, first=3)
    assert first.turns == held_out_question("colour", SCORED_FROM + 3).turns
    assert second.turns == held_out_question("colour", SCORED_FROM + 4).turns


def test_every_question_is_asked_once_in_batches():
    model = Knowing()
    found = score(model, "colour", thinking=False, count=BATCH + 2)
    assert (found.right, found.asked) == (BATCH + 2, BATCH + 2)
    assert told_of(model.asked) == told_of(questions("colour", count=BATCH + 2))


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("thought", [None, "I see."])
def test_an_answer_with_a_thought_is_right_where_one_was_asked_for(thinking, thought):
    found = score(Knowing(thought=thought), "colour", thinking=thinking, count=3)
    assert found.right == (3 if thinking == (thought is not None) else 0)


def test_boxes_are_told_with_their_mean_overlap():
    found = score(Knowing(), "box", thinking=False, count=4).told()
    assert found["right"] == found["asked"] == 4
    assert 0.7 < found["mean_iou"] < 1  # of rounded edges with exact ones


def test_a_wrong_answer_counts_as_asked():
    (question,) = questions("colour", count=1)
    found = Score()
    assert not found.add(Answer(None, "The moon is blue."), question, thinking=False)
    assert found.told() == {"right": 0, "asked": 1}


def test_nothing_may_be_shown():
    model = Knowing()
    score(model, "colour", thinking=False, count=2, shown="nothing")
    assert model.blind == [True, True]


@pytest.mark.parametrize("kind", ["colour", "shape in a later picture"])
def test_the_media_of_another_question_may_be_shown(kind):
    model = Knowing()
    score(model, kind, thinking=False, count=2, shown="another")
    own = questions(kind, count=4)
    assert told_of(model.asked) == told_of(own[:2])
    assert [one.shown for one in model.asked] == [one.shown for one in own[2:]]
    assert [one.earlier for one in model.asked] == [one.earlier for one in own[2:]]


def test_each_question_needs_media_of_another():
    with pytest.raises(ValueError, match="shorter"):
        shown_anothers(questions("colour", count=2), questions("colour", count=1))


def test_wrong_answers_are_printed_as_often_as_wanted(capsys):
    score(Knowing(thought="No."), "colour", thinking=False, count=3, show=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert repr(questions("colour", count=1)[0].turns[-1].question) in lines[0]


def test_the_demo_is_scored_through_this_library(demo):
    answerer = OwnAnswerer(*demo)
    seen = score(answerer, "describe", thinking=True, count=2)
    blind = score(answerer, "describe", thinking=True, count=2, shown="nothing")
    assert (seen.right, blind.right) == (2, 0)


def test_both_libraries_say_the_same(demo_folder):
    pytest.importorskip("torch")
    assert compare(demo_folder, "third turn", thinking=True, count=1) == 1
