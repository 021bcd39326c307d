"""Conversations with the demo: what joins them, what a stop or an error leaves."""

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlx_glm45v.answering import stream_generate
from mlx_glm45v.chat import ChatOptions, ChatSession
from mlx_glm45v.errors import MediaError, PromptTooLong
from mlx_glm45v.generation.events import Finished, PrefillProgress, TextDelta
from mlx_glm45v.generation.reuse import GenerationCache
from mlx_glm45v.messages import ImagePart, Message, TextPart
from mlx_glm45v.replies import Reply

SHORT = ChatOptions(max_tokens=48)


@pytest.fixture
def session(demo) -> ChatSession:
    return ChatSession(*demo, options=SHORT)


@pytest.fixture(scope="module")
def picture(demo_media) -> str:
    return str(demo_media / "example.png")


def test_a_reply_is_what_the_events_said(session, picture):
    events = list(session.stream("Describe the picture.", images=[picture]))
    reply = session.reply
    assert isinstance(reply, Reply)
    assert isinstance(events[-1], Finished)
    for channel, whole in (("answer", reply.answer), ("thinking", reply.thinking)):
        told = [
            e.text for e in events if isinstance(e, TextDelta) and e.channel == channel
        ]
        assert "".join(told) == (whole or "")
    assert reply.usage == events[-1].usage
    assert reply.usage.image_tokens > 0
    assert [item.name for item in reply.media] == ["example.png"]


def test_progress_goes_from_files_to_pictures_to_the_prompt(session, picture):
    stages = [
        event.stage
        for event in session.stream("Hi", images=[picture])
        if isinstance(event, PrefillProgress)
    ]
    assert sorted(set(stages), key=stages.index) == ["media", "vision", "prompt"]


@pytest.mark.parametrize("kind", ["images", "videos", "documents"])
@pytest.mark.parametrize(
    "single",
    ["photo.png", Path("photo.png"), b"GIF89a", np.zeros((8, 8, 3), np.uint8)],
    ids=["str", "path", "bytes", "array"],
)
def test_one_source_outside_of_a_list_is_refused(session, kind, single):
    with pytest.raises(TypeError, match=rf"write {kind}=\[\.\.\.\]"):
        session.ask("What is it?", **{kind: single})
    assert session.messages == ()


def test_turns_join_the_conversation_and_their_pictures_stay(session, picture):
    session.ask("Describe the picture.", images=[picture], thinking=False)
    reply = session.ask("How many shapes are there?", thinking=False)
    assert [m.role for m in session.messages] == ["user", "assistant"] * 2
    assert session.messages[-1].text == reply.answer
    assert reply.usage.image_tokens > 0
    assert reply.usage.prompt_tokens > reply.usage.image_tokens


def test_a_conversation_equals_its_messages_asked_afresh(demo, session, picture):
    session.ask("Describe the picture.", images=[picture], thinking=False)
    again = session.ask("How many shapes are there?", thinking=False)
    options = ChatOptions(max_tokens=SHORT.max_tokens, thinking=False)
    events = stream_generate(*demo, session.messages[:-1], options)
    answer = [e.text for e in events if isinstance(e, TextDelta)]
    assert "".join(answer) == again.answer


def test_two_conversations_in_turns_do_not_disturb_each_other(demo, picture):
    grey = Image.fromarray(np.full((84, 112, 3), 200, np.uint8))

    def talk(first, second):
        one, two = ChatSession(*demo, options=SHORT), ChatSession(*demo, options=SHORT)
        asked = []
        for question in ("Describe the picture.", "How many shapes are there?"):
            images = ([first], [second]) if not asked else ([], [])
            asked += [
                one.ask(question, images=images[0], thinking=False).answer,
                two.ask(question, images=images[1], thinking=False).answer,
            ]
        return asked

    together, alone = talk(picture, grey), talk(picture, picture)
    assert together[0::2] == alone[0::2]


def test_an_error_leaves_the_conversation_as_it_was(session, picture, tmp_path):
    session.ask("Describe the picture.", images=[picture])
    before = session.messages
    with pytest.raises(MediaError):
        session.ask("And this?", images=[tmp_path / "missing.png"])
    assert session.messages == before
    assert session.reply is None
    assert session.ask("How many shapes are there?").answer


def test_a_stop_from_another_thread_keeps_what_was_said(session, picture):
    events = []
    for event in session.stream("Describe the picture.", images=[picture]):
        events.append(event)
        if isinstance(event, TextDelta):
            stopper = threading.Thread(target=session.stop)
            stopper.start()
            stopper.join()
    assert events[-1].reason == "cancelled"
    assert session.messages[-1].role == "assistant"
    assert session.reply.message() == session.messages[-1]


def test_a_stop_while_files_are_read_ends_without_a_turn(session, picture):
    events = []
    for event in session.stream("Hi", images=[picture, picture]):
        events.append(event)
        session.stop()
    assert events[-1].reason == "cancelled"
    assert session.messages == ()


def test_answering_now_closes_the_thinking(session, picture):
    events = session.stream("How many shapes are there?", [picture], thinking=True)
    thoughts = 0
    for event in events:
        if isinstance(event, TextDelta) and event.channel == "thinking":
            thoughts += 1
            session.answer_now()
    assert thoughts
    assert session.reply.answer


def test_a_budget_closes_thinking_that_the_model_opened_itself(demo, picture):
    options = ChatOptions(max_tokens=64, thinking=True, thinking_budget=3)
    session = ChatSession(*demo, options=options)
    reply = session.ask("How many shapes are there?", images=[picture])
    assert reply.usage.thinking_tokens <= 3
    assert reply.answer


def test_a_system_message_survives_a_reset(demo):
    session = ChatSession(*demo, system="Be brief.", options=SHORT)
    session.ask("Hi")
    session.reset()
    assert [m.role for m in session.messages] == ["system"]


def test_a_prompt_over_the_context_is_refused_with_the_counts(demo, session):
    context = demo[0].config.text_config.max_position_embeddings
    with pytest.raises(PromptTooLong, match=str(context)):
        session.ask("x y " * context)
    assert session.messages == ()


def test_media_over_the_context_are_refused_before_all_are_read(demo, session):
    white = Image.new("RGB", (112, 112), (255, 255, 255))
    count = demo[0].config.context_length // 12  # at 16 tokens and two marks each
    read = []
    with pytest.raises(PromptTooLong, match=rf"\d+ of {count} pictures"):
        read.extend(session.stream("Compare them.", images=[white] * count))
    assert 0 < len(read) < 0.9 * count
    assert session.messages == ()


def test_an_answer_is_continued_where_it_was_cut(demo, picture):
    question = Message("user", [ImagePart(picture), TextPart("Describe the picture.")])

    def answer(messages, *, limit, go_on=False):
        options = ChatOptions(thinking=False, max_tokens=limit)
        events = stream_generate(*demo, messages, options, continue_final_message=go_on)
        return "".join(e.text for e in events if isinstance(e, TextDelta))

    whole = answer([question], limit=48)
    start = answer([question], limit=4)
    rest = answer([question, Message("assistant", start)], limit=44, go_on=True)
    assert start + rest == whole


def test_a_session_goes_on_from_a_history(demo, session, picture):
    session.ask("Describe the picture.", images=[picture], thinking=False)
    before = session.messages
    wanted = session.ask("How many shapes are there?", thinking=False).answer
    other = ChatSession(*demo, system=None, history=before, options=SHORT)
    assert other.ask("How many shapes are there?", thinking=False).answer == wanted
    assert other.messages == session.messages


@pytest.mark.parametrize("thinking", [False, True], ids=["answer", "thinking"])
def test_a_cut_reply_grows_until_it_is_whole(demo, session, picture, thinking):
    whole = session.ask("Describe the picture.", images=[picture], thinking=thinking)
    short = ChatSession(*demo, options=ChatOptions(max_tokens=6, thinking=thinking))
    cut = short.ask("Describe the picture.", images=[picture])
    assert cut.reason == "length"
    short.options = SHORT
    news = [
        event.text
        for event in short.continue_reply(thinking=thinking)
        if isinstance(event, TextDelta)
    ]
    reply = short.reply
    assert (reply.thinking, reply.answer) == (whole.thinking, whole.answer)
    said = (cut.thinking or "") + cut.answer + "".join(news)
    assert said == (whole.thinking or "") + whole.answer
    assert short.messages == session.messages


def test_without_a_reply_there_is_nothing_to_go_on_with(session):
    with pytest.raises(ValueError, match="ask something first"):
        session.continue_reply()
    assert session.messages == ()


def test_a_stop_before_a_word_leaves_a_cut_reply_as_it_was(demo):
    history = [Message("user", "Hi"), Message("assistant", "The pic")]
    session = ChatSession(*demo, history=history, options=SHORT)
    events = session.continue_reply()
    session.stop()
    assert [event.reason for event in events if isinstance(event, Finished)] == [
        "cancelled"
    ]
    assert session.messages == tuple(history)


def test_media_tell_their_message_and_part(session, picture):
    session.ask("Describe the picture.", images=[picture], thinking=False)
    parts = [
        TextPart("First"),
        ImagePart(picture),
        TextPart("second."),
        ImagePart(picture),
    ]
    for _ in session.send(Message("user", parts), thinking=False):
        pass
    places = [(item.message, item.part, item.page) for item in session.reply.media]
    assert places == [(0, 0, None), (2, 1, None), (2, 3, None)]


def test_a_shorter_context_ends_answers_and_refuses_prompts(demo, picture):
    options = ChatOptions(thinking=False)
    session = ChatSession(*demo, options=options)
    used = session.ask("Describe the picture.", images=[picture]).usage
    session.reset()
    session.options = ChatOptions(thinking=False, context_length=used.prompt_tokens + 3)
    reply = session.ask("Describe the picture.", images=[picture])
    assert (reply.reason, reply.usage.generated_tokens) == ("length", 3)
    session.reset()
    session.options = ChatOptions(thinking=False, context_length=used.prompt_tokens)
    with pytest.raises(PromptTooLong, match=str(used.prompt_tokens)):
        session.ask("Describe the picture.", images=[picture])


@pytest.mark.parametrize("name", ["max_tokens", "context_length"])
def test_an_option_out_of_range_is_told_at_once(name):
    with pytest.raises(ValueError, match=name):
        ChatOptions(**{name: 0})


def test_a_media_part_may_be_given_in_place_of_a_path(session, picture):
    whole = session.ask("Hi", images=[picture]).usage.image_tokens
    session.reset()
    small = ImagePart(picture, max_pixels=56 * 56)
    assert session.ask("Hi", images=[small]).usage.image_tokens == 2 < whole


def test_a_second_question_does_not_read_the_first_ones_picture_again(
    session, demo, picture
):
    first = session.ask("Describe the picture.", images=[picture])
    history = session.messages
    second = session.ask("How many shapes are there?")
    usage = second.usage
    assert first.usage.cached_tokens == 0
    # All of the first question: only its thinking is dropped from history.
    assert usage.cached_tokens > usage.image_tokens
    fresh = ChatSession(*demo, history=history, options=SHORT)
    alone = fresh.ask("How many shapes are there?")
    assert alone.usage.cached_tokens == 0
    assert (second.answer, second.thinking) == (alone.answer, alone.thinking)


def test_sessions_may_share_what_is_kept(demo, picture):
    cache = GenerationCache(demo[0])
    for number in range(2):
        session = ChatSession(*demo, options=SHORT, cache=cache)
        usage = session.ask("Describe the picture.", images=[picture]).usage
        assert (usage.cached_tokens > usage.image_tokens) == (number == 1)
