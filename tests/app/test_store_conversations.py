"""Conversations, turns and their tree, as they come back after a restart."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.conversation import Attachment, Box, Stats
from app.store import Store, StoreError

PICTURE = Attachment("ab" * 32, "cat.png", "image", None, 12_544, None, 77)
PAGES = Attachment("cd" * 32, "paper.pdf", "document", (1, 3), None, 0.5, None)


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    yield opened
    opened.close()


def ask(store: Store, conversation: int, parent: int | None, text: str) -> int:
    """A question with a finished answer; the answer's id."""
    question = store.add_question(conversation, parent, text)
    answer = store.add_answer(conversation, question.id, "demo")
    store.append(answer.id, "text", f"answer to {text}")
    store.finish(answer.id, "complete")
    return answer.id


def test_everything_of_a_turn_survives_a_restart(tmp_path):
    store = Store(tmp_path)
    chat = store.create_conversation(thinking=False)
    question = store.add_question(chat.id, None, "What is this?", (PICTURE, PAGES))
    answer = store.add_answer(chat.id, question.id, "demo")
    store.append(answer.id, "thinking", "Hm, ")
    store.append(answer.id, "thinking", "a cat")
    store.append(answer.id, "text", "A cat.")
    box = Box("cat", PICTURE.digest, None, 1, 2, 3, 4, 50, 60, 2, 5)
    stats = Stats(prompt_tokens=3, tokens_per_second=12.5, peak_memory=1 << 40)
    store.finish(
        answer.id, "cut", stats=stats, boxes=[box], error="Full", thinking_seconds=1.5
    )
    before = store.path(chat.id), store.conversations()
    store.close()
    store = Store(tmp_path)
    assert (store.path(chat.id), store.conversations()) == before
    asked, answered = before[0]
    assert asked.attachments == (PICTURE, PAGES)
    assert (answered.thinking, answered.text) == ("Hm, a cat", "A cat.")
    assert (answered.boxes, answered.stats) == ((box,), stats)
    assert (answered.state, answered.error) == ("cut", "Full")
    assert answered.thinking_seconds == 1.5
    store.close()


def test_a_draft_with_attachments_survives_a_restart(tmp_path):
    store = Store(tmp_path)
    chat = store.create_conversation()
    store.set_draft(chat.id, "half a thou", (PAGES, PICTURE))
    store.close()
    store = Store(tmp_path)
    kept = store.conversation(chat.id)
    assert (kept.draft, kept.draft_attachments) == ("half a thou", (PAGES, PICTURE))
    store.close()


@pytest.mark.parametrize(
    ("text", "attachments", "title"),
    [
        ("  What is\n this? ", (), "What is this?"),
        ("word " * 30, (), "word word word word word word word word word…"),
        ("x" * 100, (), "x" * 48 + "…"),
        ("", (PICTURE,), "cat.png"),
        ("", (), ""),
    ],
)
def test_the_title_is_the_first_questions_first_words(store, text, attachments, title):
    chat = store.create_conversation()
    store.add_question(chat.id, None, text, attachments)
    assert store.conversation(chat.id).title == title


def test_a_persons_title_is_kept(store):
    chat = store.create_conversation()
    store.rename(chat.id, " Mine ")
    store.add_question(chat.id, None, "Something else")
    assert store.conversation(chat.id).title == "Mine"


def test_pinned_ones_come_first_and_then_the_newest(store):
    old, middle, new = (store.create_conversation().id for _ in range(3))
    store.pin(old, True)
    store.add_question(middle, None, "again")
    assert [c.id for c in store.conversations()] == [old, middle, new]


def test_a_deleted_conversation_comes_back_until_it_is_purged(store):
    chat = store.create_conversation()
    answer = ask(store, chat.id, None, "hidden words")
    store.delete(chat.id)
    assert store.conversations() == ()
    assert store.search("hidden") == ()
    store.restore(chat.id)
    assert store.path(chat.id)[-1].id == answer
    store.delete(chat.id)
    store.purge_deleted()
    with pytest.raises(StoreError):
        store.conversation(chat.id)


def test_a_second_answer_is_shown_and_the_first_can_be_chosen(store):
    chat = store.create_conversation().id
    question = store.add_question(chat, None, "one")
    first = store.add_answer(chat, question.id, "demo")
    store.finish(first.id, "stopped")
    ask(store, chat, first.id, "under the first")
    second = store.add_answer(chat, question.id, "demo")
    assert (second.variant, second.variants) == (2, 2)
    assert [t.id for t in store.path(chat)] == [question.id, second.id]
    assert store.choose_variant(second.id, -1) == first.id
    assert len(store.path(chat)) == 4
    assert store.choose_variant(first.id, -1) == first.id


def test_deleting_a_turn_takes_what_is_under_it_and_shows_a_neighbour(store):
    chat = store.create_conversation().id
    first = ask(store, chat, None, "one")
    edited = store.add_question(chat, None, "edited")
    store.delete_turn(edited.id)
    assert store.path(chat)[-1].id == first
    store.delete_turn(store.path(chat)[0].id)
    assert store.path(chat) == store.turns(chat) == ()
    assert [hit.turn for hit in store.search("answer")] == []


def test_a_long_conversation_is_read_quickly_and_deleted_whole(store):
    chat = store.create_conversation().id
    parent = None
    for number in range(1000):
        parent = ask(store, chat, parent, f"question {number} " + "words " * 40)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        turns = store.path(chat)
        times.append(time.perf_counter() - start)
    assert len(turns) == 2000
    assert min(times) < 0.05
    store.delete_turn(turns[0].id)
    assert store.turns(chat) == ()


def test_a_turn_under_the_wrong_parent_is_refused(store):
    chat, other = store.create_conversation().id, store.create_conversation().id
    answer = ask(store, chat, None, "one")
    with pytest.raises(ValueError, match="another conversation"):
        store.add_question(other, answer, "two")
    with pytest.raises(ValueError, match="no question"):
        store.add_answer(chat, answer, "demo")
    assert len(store.turns(chat)) == 2
    assert store.turns(other) == ()


def test_a_question_may_follow_one_whose_answer_was_deleted(store):
    chat = store.create_conversation().id
    store.delete_turn(ask(store, chat, None, "one"))
    ask(store, chat, store.path(chat)[-1].id, "two")
    assert [t.role for t in store.path(chat)] == ["user", "user", "assistant"]


def test_a_cut_answer_is_continued(store):
    chat = store.create_conversation().id
    answer = ask(store, chat, None, "one")
    assert store.resume(answer).state == "streaming"
    store.append(answer, "text", " and zebra")
    store.finish(answer, "complete")
    assert store.turn(answer).text == "answer to one and zebra"
    assert [hit.turn for hit in store.search("zebra")] == [answer]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "edit", "regenerate", "choose", "delete"]),
        st.integers(0, 99),
        st.sampled_from([-1, 1]),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=25)
@given(STEPS)
def test_any_sequence_of_steps_gives_the_same_tree_after_a_restart(
    tmp_path_factory, steps
):
    folder: Path = tmp_path_factory.mktemp("store")
    store = Store(folder)
    chat = store.create_conversation().id
    for step, number, direction in steps:
        path = store.path(chat)
        turn = path[number % len(path)] if path else None
        if turn is None or step == "ask":
            ask(store, chat, path[-1].id if path else None, f"q{number}")
        elif step == "choose":
            store.choose_variant(turn.id, direction)
        elif step == "delete":
            store.delete_turn(turn.id)
        elif turn.role == "user":
            ask(store, chat, turn.parent, f"edited {number}")
        else:
            answer = store.add_answer(chat, turn.parent, "demo")
            store.finish(answer.id, "complete")
        path = store.path(chat)
        # A path is a chain from a first question, and it ends where nothing is below.
        parents = [None, *(t.id for t in path)]
        assert [t.parent for t in path] == parents[:-1]
        assert not any(t.parent == parents[-1] for t in store.turns(chat))
        assert all(1 <= t.variant <= t.variants for t in path)
    before = store.path(chat), store.turns(chat)
    store.close()
    store = Store(folder)
    assert (store.path(chat), store.turns(chat)) == before
    store.close()


def test_a_deleted_branch_can_be_put_back(store):
    chat = store.create_conversation().id
    first = store.add_question(chat, None, "one")
    answer = store.add_answer(chat, first.id, "demo")
    store.append(answer.id, "text", "words")
    store.finish(answer.id, "complete")
    picture = store.media.attach_bytes(b"%PDF-1.7", "a.pdf")
    second = store.add_question(chat, answer.id, "two", (picture,))
    before = store.path(chat)
    branch = store.delete_turn(first.id)
    assert store.path(chat) == ()
    assert branch.ids[0] == first.id
    store.restore_turn(branch)
    assert store.path(chat) == before
    assert [hit.turn for hit in store.search("two")][-1:] == [second.id]


def test_a_branch_whose_conversation_is_gone_cannot_be_put_back(store):
    chat = store.create_conversation().id
    branch = store.delete_turn(store.add_question(chat, None, "one").id)
    store.delete(chat)
    store.purge_deleted()
    with pytest.raises(StoreError):
        store.restore_turn(branch)
