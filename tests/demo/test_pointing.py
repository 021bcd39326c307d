"""The hints of the decoder: what they ask for."""

from random import Random

import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def packer(demo_folder):
    from demo_training.packing import Packer

    return Packer(Tokenizer.from_file(str(demo_folder / "tokenizer.json")))


def batch_of(packer, format: str):
    from demo_training.course import lesson_row, padded
    from demo_training.lessons import Frame

    frame = Frame((112, 112), (112, 84), 2.0)
    rows = [lesson_row(packer, Random(seed), format, frame, 2) for seed in (1, 2)]
    return padded(rows, pad_id=0)


def test_names_stand_at_tokens_that_end_the_word(packer, demo_folder):
    tokenizer = Tokenizer.from_file(str(demo_folder / "tokenizer.json"))
    batch = batch_of(packer, "picture")
    assert len(batch.names)
    for row, column, shape, colour in batch.names.tolist():
        said = tokenizer.decode([int(batch.ids[row, column])]).strip()
        assert shape or colour
        assert said.isalpha()


def test_the_frame_before_is_the_other_picture_of_a_change(packer):
    batch = batch_of(packer, "change")
    number, shape, colour, _ = batch.earlier.T
    cells = batch.cells[:, :2].long()
    size = len(number) // 4  # two rows of two pictures
    assert number.tolist() == ([0] * size + [1] * size) * 2
    first, second = slice(0, size), slice(size, 2 * size)
    assert (shape[first] == -1).all()
    assert (colour[first] == -1).all()
    assert torch.equal(torch.stack([shape, colour], 1)[second], cells[first])


def test_pages_and_text_ask_for_nothing_that_is_not_there(packer):
    from demo_training.course import padded

    row = packer.row([], [])
    assert padded([row], pad_id=0).names.shape == (0, 4)
    assert batch_of(packer, "page").names.shape[0] == 0


def told(tokenizer, batch, tokens, number):
    rows, columns, numbers = tokens[:, :3].T
    here = numbers == number
    return tokenizer.decode(batch.ids[rows[here], columns[here]].tolist())


def test_an_answer_goes_with_the_words_that_its_question_names(packer, demo_folder):
    from demo_training.course import padded
    from demo_training.packing import Branch

    from mlx_glm45v.demo.questions import Exchange

    turns = (
        Exchange("What colour is the star?", "", "The star is red."),
        Exchange("Where is it?", "", "The star is here: [[1,2,3,4]]"),
        Exchange("How many shapes are there?", "", "There is one shape."),
    )
    batch = padded([packer.row([], [Branch(turns, thinking=False)])], pad_id=0)
    tokenizer = Tokenizer.from_file(str(demo_folder / "tokenizer.json"))
    numbers = batch.answers[:, 2].unique().tolist()
    about = [
        (
            told(tokenizer, batch, batch.answers, number).strip(),
            told(tokenizer, batch, batch.asked, number).strip(),
        )
        for number in numbers
    ]
    assert about == [
        (turns[0].answer, "star"),
        (turns[1].answer, "star"),
        (turns[2].answer, ""),
    ]


def test_what_changed_is_asked_of_cells(packer):
    from demo_training.course import padded
    from demo_training.packing import CHANGE, Branch

    from mlx_glm45v.demo.questions import Exchange

    turn = Exchange("What changed?", "", "Nothing changed.")
    batch = padded([packer.row([], [Branch((turn,), thinking=False)])], pad_id=0)
    assert (batch.answers[:, 3] == CHANGE).all()
    assert len(batch.asked) == 0


def test_a_figure_that_an_earlier_picture_has_is_known(packer):
    batch = batch_of(packer, "picture and clip")
    number, _, _, again = batch.earlier.T
    covered = batch.cells[:, 0] > 0
    assert (again[~covered] == -1).all()
    assert (again[covered & (number == 0)] == -1).all()
    later = covered & (number == number.max())
    assert set(again[later].tolist()) <= {0, 1}
