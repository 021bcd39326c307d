"""What waits: by numbers of its own, held while it is edited, on disk all the time."""

import pytest

from app.control.outbox import Outbox, Waiting
from app.store import Store

pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def outbox(store):
    return Outbox(store)


@pytest.fixture
def chat(store):
    return store.create_conversation().id


def texts(outbox):
    return [each.text for each in outbox.waiting]


def put(outbox, chat, *words):
    for text in words:
        outbox.add(Waiting(chat, text, ()))
    return [each.id for each in outbox.waiting]


def test_an_edit_finds_its_message_whatever_was_sent_before(outbox, chat):
    first, second = put(outbox, chat, "first", "second")
    assert outbox.take().id == first
    outbox.edit(first, "too late")
    assert texts(outbox) == ["second"]
    outbox.edit(second, "other")
    assert texts(outbox) == ["other"]


def test_a_message_that_is_edited_waits_and_so_does_what_follows(outbox, chat):
    released = []
    outbox.released.connect(lambda: released.append(True))
    first, _ = put(outbox, chat, "first", "second")
    outbox.hold(first, True)
    assert outbox.take() is None
    outbox.edit(first, "First")
    outbox.hold(first, False)
    assert released
    assert outbox.take().text == "First"


def test_a_held_message_that_is_removed_holds_nothing_up(outbox, chat):
    first, _ = put(outbox, chat, "first", "second")
    outbox.hold(first, True)
    outbox.remove(first)
    assert outbox.take().text == "second"


def test_what_waits_stands_before_the_draft_on_disk(outbox, store, chat):
    outbox.keep_draft(chat, "draft", ())
    put(outbox, chat, "first", "second")
    assert store.conversation(chat).draft == "first\n\nsecond\n\ndraft"
    taken = outbox.take()
    assert "first" in store.conversation(chat).draft  # until it is a question
    outbox.settle(taken)
    assert store.conversation(chat).draft == "second\n\ndraft"


def test_a_file_that_comes_late_goes_to_its_own_conversation(outbox, store, chat):
    outbox.keep_draft(chat, "look", ())
    attachment = store.media.attach_bytes(b"%PDF-1.7", "a.pdf")
    outbox.add_to_draft(store.conversation(chat), attachment)
    found = store.conversation(chat)
    assert (found.draft, found.draft_attachments) == ("look", (attachment,))
