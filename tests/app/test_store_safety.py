"""What happens to the words when processes die, disks fill and files break."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.conversation import Stats
from app.store import Store, StoreError
from app.store.opening import DATABASE

ROOT = Path(__file__).parents[2]
WRITES_FOR_EVER = """
import sys
from pathlib import Path
from app.store import Store
store = Store(Path(sys.argv[1]))
chat = store.create_conversation().id
question = store.add_question(chat, None, "count")
answer = store.add_answer(chat, question.id, "demo")
number = 0
while True:
    store.append(answer.id, "text", f"{number} ")
    if number % 5 == 4:
        store.flush()
        print(number, flush=True)
    number += 1
"""
WRITES_SOME = """
import sys
from pathlib import Path
from app.store import Store
store = Store(Path(sys.argv[1]))
chat = store.create_conversation().id
parent = None
for number in range(40):
    question = store.add_question(chat, parent, f"question {number}")
    answer = store.add_answer(chat, question.id, "demo")
    store.append(answer.id, "text", "words")
    store.finish(answer.id, "complete")
    parent = answer.id
store.close()
"""


def start(script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def files_no_larger_than(size: int):
    """Writes beyond fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def streaming(store: Store) -> tuple[int, int]:
    """A conversation and its answer that is being written."""
    chat = store.create_conversation().id
    question = store.add_question(chat, None, "one")
    return chat, store.add_answer(chat, question.id, "demo").id


def test_all_that_was_flushed_is_there_after_a_kill(tmp_path):
    writer = start(WRITES_FOR_EVER, tmp_path)
    assert writer.stdout is not None
    for _ in range(20):
        last = int(writer.stdout.readline())
    beside = Store(tmp_path)
    (chat,) = beside.conversations()
    assert beside.path(chat.id)[-1].state == "streaming"
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.communicate()[0].split()
    last = int(rest[-1]) if rest else last
    store = Store(tmp_path)
    answer = store.path(chat.id)[-1]
    assert answer.state == "stopped"
    words = answer.text.split()
    assert words == [str(number) for number in range(len(words))]
    assert len(words) > last
    # The last word before the kill can be searched, though no one finished it.
    assert answer.id in {hit.turn for hit in store.search(words[-1])}
    store.close()
    beside.close()


def test_what_a_living_store_writes_is_not_stopped_by_another(tmp_path):
    one = Store(tmp_path)
    chat, answer = streaming(one)
    two = Store(tmp_path)
    assert two.turn(answer).state == "streaming"
    one.append(answer, "text", "still here")
    one.finish(answer, "complete")
    assert two.path(chat)[-1].text == "still here"
    one.close()
    two.close()


def test_what_a_closed_store_left_streaming_is_stopped(tmp_path):
    one = Store(tmp_path)
    _, answer = streaming(one)
    one.append(answer, "text", "kept by closing")
    one.close()
    two = Store(tmp_path)
    turn = two.turn(answer)
    assert (turn.state, turn.text) == ("stopped", "kept by closing")
    two.close()


def test_two_processes_at_a_time_do_not_harm_each_other(tmp_path):
    writers = [start(WRITES_SOME, tmp_path) for _ in range(2)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    store = Store(tmp_path)
    assert store.recovered is None
    assert [len(store.path(c.id)) for c in store.conversations()] == [80, 80]
    store.close()


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path):
    store = Store(tmp_path)
    chat, answer = streaming(store)
    store.append(answer, "text", "long " * 100_000)
    store.append(answer, "thinking", "deep")
    with files_no_larger_than(60_000):
        with pytest.raises(StoreError, match="disk"):
            store.flush()
        store.append(answer, "text", "end")
        with pytest.raises(StoreError, match="disk"):
            store.finish(answer, "complete")
    shown = store.path(chat)[-1]
    store.flush()
    store.close()
    store = Store(tmp_path)
    assert store.path(chat)[-1] == shown
    assert shown.text == "long " * 100_000 + "end"
    assert (shown.thinking, shown.state) == ("deep", "complete")
    store.close()


def text_instead(path: Path) -> None:
    path.write_text("this is no database " * 500)


def torn_in_the_middle(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwritten_pages(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 40_000)


@pytest.mark.parametrize(
    "break_it", [text_instead, torn_in_the_middle, overwritten_pages]
)
def test_a_damaged_database_is_moved_aside_and_said(tmp_path, break_it):
    store = Store(tmp_path)
    for _ in range(20):
        store.add_question(store.create_conversation().id, None, "words " * 200)
    store.close()
    break_it(tmp_path / DATABASE)
    broken = (tmp_path / DATABASE).read_bytes()
    store = Store(tmp_path)
    assert store.recovered == tmp_path / "chats.db.damaged-1"
    assert store.recovered.read_bytes() == broken
    assert store.conversations() == ()
    store.create_conversation()
    store.close()
    text_instead(tmp_path / DATABASE)
    store = Store(tmp_path)
    assert store.recovered == tmp_path / "chats.db.damaged-2"
    store.close()


def test_a_newer_database_is_refused_and_left_alone(tmp_path):
    Store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(StoreError, match="newer version"):
        Store(tmp_path)
    assert (tmp_path / DATABASE).read_bytes() == before


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "file" / "folder")


def damage_index(folder):
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    connection.execute("UPDATE texts_data SET block = x'00ff00ff'")
    connection.close()


def test_a_damaged_search_index_is_made_anew(tmp_path):
    store = Store(tmp_path)
    chat = store.create_conversation().id
    store.add_question(chat, None, "where is the lighthouse")
    store.close()
    damage_index(tmp_path)
    store = Store(tmp_path)
    assert store.recovered is None
    assert {hit.conversation for hit in store.search("lighthouse")} == {chat}
    store.add_question(chat, store.path(chat)[-1].id, "and now")
    store.close()


def test_an_index_that_fails_in_use_is_made_anew_at_the_next_start(tmp_path):
    store = Store(tmp_path)
    chat = store.create_conversation().id
    first = store.add_question(chat, None, "where is the lighthouse")
    damage_index(tmp_path)
    with pytest.raises(StoreError, match="damaged"):
        store.add_question(chat, first.id, "and then")
    store.close()
    store = Store(tmp_path)
    assert store.search("lighthouse")
    store.add_question(chat, first.id, "and now")
    store.close()


def test_what_another_window_deleted_is_there_again_when_it_is_used(tmp_path):
    one, other = Store(tmp_path), Store(tmp_path)
    chat = one.create_conversation().id
    other.delete(chat)
    one.add_question(chat, None, "Hi")
    assert [each.id for each in other.conversations()] == [chat]
    other.purge_deleted()
    assert one.path(chat)[0].text == "Hi"
    one.close()
    other.close()


def test_closing_leaves_another_window_its_undo(tmp_path):
    one, other = Store(tmp_path), Store(tmp_path)
    chat = one.create_conversation().id
    one.delete(chat)
    other.purge_deleted()
    other.close()
    one.restore(chat)
    assert [each.id for each in one.conversations()] == [chat]
    one.delete(chat)
    one.purge_deleted()
    with pytest.raises(StoreError, match="gone for good"):
        one.restore(chat)
    one.close()


def test_an_empty_conversation_can_be_forgotten(tmp_path):
    store = Store(tmp_path)
    empty, drafted, asked = (store.create_conversation().id for _ in range(3))
    store.set_draft(drafted, "words")
    store.add_question(asked, None, "Hi")
    assert [store.discard_if_empty(n) for n in (empty, drafted, asked)] == [
        True,
        False,
        False,
    ]
    store.close()


def test_what_is_no_file_is_refused(tmp_path):
    store = Store(tmp_path / "data")
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(StoreError, match="no file"):
        store.media.attach(pipe)
    store.close()


def test_copying_can_be_stopped(tmp_path):
    store = Store(tmp_path / "data")
    file = tmp_path / "large.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(3 << 20))
    with pytest.raises(StoreError, match="closed"):
        store.media.attach(file, should_stop=lambda: True)
    assert not [*(tmp_path / "data" / "media").glob(".new-*")]
    store.close()


def test_going_on_keeps_what_is_not_said_anew(tmp_path):
    store = Store(tmp_path)
    chat = store.create_conversation().id
    answer = store.add_answer(chat, store.add_question(chat, None, "Hi").id, "demo")
    stats = Stats(generated_tokens=5)
    store.finish(answer.id, "cut", stats=stats, boxes=(), thinking_seconds=2.0)
    store.resume(answer.id)
    store.finish(answer.id, "failed", error="It broke.")
    found = store.turn(answer.id)
    assert (found.stats, found.thinking_seconds) == (stats, 2.0)
    assert (found.state, found.error) == ("failed", "It broke.")
    store.close()
