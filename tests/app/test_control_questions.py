"""Turns and settings as the model is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.control.questions import boxes_of, options_of, question_of
from app.conversation import Attachment, Turn
from app.engine import protocol
from app.settings import Settings

PICTURE = Attachment("a" * 64, "a.png", "image", max_pixels=1000)
CLIP = Attachment("b" * 64, "b.mp4", "video", fps=2.0)
PAGES = Attachment("c" * 64, "c.pdf", "document", pages=(2, 3))


def file_of(attachment: Attachment) -> Path:
    return Path("/store") / attachment.digest[:2]


def asked(*turns: Turn, system: str = "") -> tuple[protocol.Message, ...]:
    return question_of(turns, system=system, file_of=file_of).messages


def test_media_stand_before_the_words_with_their_details():
    (message,) = asked(Turn(1, None, "user", "What?", attachments=(PICTURE, CLIP)))
    picture, clip, words = message.parts
    assert picture == protocol.Medium("image", "/store/aa", "a.png", max_pixels=1000)
    assert clip == protocol.Medium("video", "/store/bb", "b.mp4", fps=2.0)
    assert words == protocol.Words("What?")


def test_a_document_keeps_its_pages():
    (message,) = asked(Turn(1, None, "user", "", attachments=(PAGES,)))
    (pages,) = message.parts
    assert pages.pages == (2, 3)


def test_a_question_of_pictures_alone_has_no_empty_words():
    (message,) = asked(Turn(1, None, "user", "", attachments=(PICTURE,)))
    assert [type(part) for part in message.parts] == [protocol.Medium]


@pytest.mark.parametrize("system", ["", "  \n"])
def test_an_empty_system_prompt_is_no_message(system):
    assert [m.role for m in asked(Turn(1, None, "user", "Hi"), system=system)] == [
        "user"
    ]


def test_the_system_prompt_goes_first():
    first, _ = asked(Turn(1, None, "user", "Hi"), system=" Be brief. ")
    assert (first.role, first.parts) == ("system", (protocol.Words("Be brief."),))


def test_an_answer_without_a_word_is_left_out():
    told = asked(
        Turn(1, None, "user", "Hi"),
        Turn(2, 1, "assistant", "", state="failed", error="It broke off."),
        Turn(3, 2, "user", "Again"),
    )
    assert [message.role for message in told] == ["user", "user"]


def test_thinking_goes_with_its_answer():
    told = asked(
        Turn(1, None, "user", "Hi"), Turn(2, 1, "assistant", "", thinking="Well")
    )
    assert told[1].thinking == "Well"


def test_the_checkpoints_sampling_is_not_named():
    assert options_of(Settings(temperature=0.1), thinking=True).sampling is None


def test_settings_become_options():
    chosen = Settings(
        checkpoint_sampling=False,
        temperature=0.1,
        top_p=0.5,
        top_k=7,
        repetition_penalty=1.1,
        max_tokens=99,
        thinking_budget=50,
        context=4096,
    )
    options = options_of(chosen, thinking=True)
    assert options.sampling == protocol.Sampling(0.1, 0.5, 7, 1.1)
    assert (options.max_tokens, options.context_length) == (99, 4096)
    assert options.thinking_budget == 50


def test_without_thinking_there_is_no_budget():
    options = options_of(Settings(thinking_budget=50), thinking=False)
    assert (options.thinking, options.thinking_budget) == (False, None)


def test_a_box_finds_the_attachment_it_is_on():
    turns = (
        Turn(1, None, "user", "One", attachments=(CLIP,)),
        Turn(2, 1, "assistant", "Yes"),
        Turn(3, 2, "user", "Two", attachments=(PICTURE, PAGES)),
    )
    question = question_of(turns, system="Be brief.", file_of=file_of)
    told = protocol.Box("lid", 3, 1, 2, 10, 20, 30, 40, 100, 200, 5, 9)
    (box,) = boxes_of(question, (told,))
    assert (box.digest, box.page) == (PAGES.digest, 2)
    assert (box.left, box.top, box.right, box.bottom) == (10, 20, 30, 40)
    assert (box.start, box.stop, box.label) == (5, 9, "lid")
