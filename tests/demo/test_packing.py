"""Conversations side by side in a row are what the library would show one by one."""

from random import Random

import numpy as np
import pytest
from tokenizers import Tokenizer

from mlx_glm45v.messages import ImagePart, Message, TextPart, VideoPart

FORMATS = (
    "picture",
    "pictures",
    "page",
    "clip",
    "appearance",
    "picture and clip",
    "nothing",
)


@pytest.fixture(scope="module")
def packer(demo_folder):
    from demo_training.packing import Packer

    return Packer(Tokenizer.from_file(str(demo_folder / "tokenizer.json")))


def drawn(format: str, *, held_out: bool = False):
    from demo_training.lessons import FORMATS, Frame

    return FORMATS[format](
        Random(4), Frame((112, 112), (112, 84), 3.0), held_out=held_out
    )


def parts_of(shown) -> list:
    """The media as the library takes them; noise and blur do not matter here."""
    parts = []
    for one in shown:
        if hasattr(one, "seconds"):
            count = int(one.seconds * 2)
            times = tuple(i / 2 for i in range(count))
            parts.append(VideoPart([one.frame(t) for t in times], times=times))
        else:
            from mlx_glm45v.demo.scenes import Scene, draw

            parts.append(ImagePart(draw(one) if isinstance(one, Scene) else one.draw()))
    return parts


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize(
    "format",
    [
        "picture",
        "pictures",
        "page",
        "clip",
        "appearance",
        "picture and clip",
        "nothing",
    ],
)
def test_each_conversation_is_written_as_the_chat_template_does(
    packer, demo_processor, format, thinking
):
    from demo_training.lessons import LESSONS
    from demo_training.packing import Branch
    from demo_training.showing import media_of

    shown = drawn(format)
    media = [media_of(Random(0), one) for one in shown]
    lessons = [one for one in LESSONS.values() if one.format == format]
    turns = [lessons[i % len(lessons)].ask(Random(i), shown) for i in range(3)]
    row = packer.row(media, [Branch(one, thinking) for one in turns])
    for number, told in enumerate(turns, 1):
        messages = []
        for index, turn in enumerate(told):
            parts = [*([] if index else parts_of(shown)), TextPart(turn.question)]
            said = turn.answer.replace("<|begin_of_box|>", "")
            said = said.replace("<|end_of_box|>", "")
            messages += [Message("user", parts), Message("assistant", said)]
        prompt = demo_processor.prompt(messages[:-1], thinking=thinking)
        mine = (row.branches == 0) | (row.branches == number)
        length = len(prompt.token_ids)
        assert row.ids[mine][:length].tolist() == prompt.token_ids.tolist()
        assert row.positions[:, mine][:, :length].tolist() == prompt.positions.tolist()


def test_a_later_picture_has_a_turn_before_it(packer, demo_processor):
    from demo_training.packing import Branch
    from demo_training.showing import media_of

    from mlx_glm45v.demo import questions

    first, second = shown = drawn("later picture")
    earlier = questions.count(Random(0), first)
    later = questions.describe(Random(1), second)
    media = [media_of(Random(0), one) for one in shown]
    row = packer.row(media, [Branch((later,), False)], earlier=earlier)
    one, other = parts_of(shown)
    prompt = demo_processor.prompt(
        [
            Message("user", [one, TextPart(earlier.question)]),
            Message("assistant", earlier.answer),
            Message("user", [other, TextPart(later.question)]),
        ],
        thinking=False,
    )
    length = len(prompt.token_ids)
    assert row.ids[:length].tolist() == prompt.token_ids.tolist()
    assert row.positions[:, :length].tolist() == prompt.positions.tolist()


@pytest.mark.parametrize("thinking", [True, False])
def test_only_the_models_words_are_learned(packer, demo_folder, thinking):
    from demo_training.packing import Branch

    from mlx_glm45v.demo.questions import Exchange

    tokenizer = Tokenizer.from_file(str(demo_folder / "tokenizer.json"))
    first = Exchange("How many?", "I see one.", "One.")
    second = Exchange("Which colour is it", "It is red.", "Red.")
    row = packer.row([], [Branch((first, second), thinking)])
    said = tokenizer.decode(
        row.targets[row.targets >= 0].tolist(), skip_special_tokens=False
    )
    thought = "<think>It is red.</think>\n" if thinking else ""
    assert said == f"One.<|user|>{thought}Red.<|user|>"
    where = np.flatnonzero(row.targets >= 0)
    assert (row.ids[where + 1] == row.targets[where]).all()


def test_time_texts_are_marked(packer, demo_folder):
    from demo_training.showing import media_of

    tokenizer = Tokenizer.from_file(str(demo_folder / "tokenizer.json"))
    (clip,) = drawn("appearance")
    row = packer.row([media_of(Random(0), clip)], [])
    at = row.marks[:, 0].astype(int)
    assert tokenizer.decode(row.ids[at].tolist()) == "012"
    assert row.marks[:, -1].tolist() == [float(s == clip.since) for s in range(3)]
