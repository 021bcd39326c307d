import json
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation import Attachment, Conversation, Turn
from app.store import Media, export_json, export_markdown
from app.store.export import safe_name

CHAT = Conversation(1, "Cats / dogs: which?", 0.0)


@pytest.fixture
def media(tmp_path):
    return Media(tmp_path / "data")


@pytest.fixture
def turns(media):
    picture = media.attach_bytes(b"\x89PNG\r\n\x1a\nxyz", "my [cat] 1.png")
    lost = Attachment("ee" * 32, "lost.mp4", "video")
    question = Turn(1, None, "user", "Look", attachments=(picture, lost))
    answer = Turn(2, 1, "assistant", "A **cat**.", thinking="So\nwhat", model="demo")
    return question, answer


def test_markdown_has_the_words_and_the_media_beside_it(tmp_path, media, turns):
    path = export_markdown(CHAT, turns, media, tmp_path)
    assert path == tmp_path / "Cats dogs which" / "Cats dogs which.md"
    text = path.read_text(encoding="utf-8")
    for words in ("# Cats / dogs: which?", "Look", "A **cat**.", "> So\n> what"):
        assert words in text
    assert "lost.mp4 (missing)" in text
    link = text.split("](")[1].split(")")[0]
    assert (path.parent / unquote(link)).read_bytes() == b"\x89PNG\r\n\x1a\nxyz"


def test_json_has_everything(tmp_path, turns):
    path = export_json(CHAT, turns, tmp_path)
    known = json.loads(path.read_text(encoding="utf-8"))
    assert known["title"] == CHAT.title
    assert [turn["text"] for turn in known["turns"]] == ["Look", "A **cat**."]
    assert known["turns"][0]["attachments"][0]["name"] == "my [cat] 1.png"


def test_nothing_is_written_over(tmp_path, media, turns):
    names = {export_markdown(CHAT, turns, media, tmp_path).parent for _ in range(3)}
    names |= {export_json(CHAT, turns, tmp_path) for _ in range(3)}
    assert len(names) == 6


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("", "Conversation"),
        ("../..", "Conversation"),
        ("a/b\\c", "a b c"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        (" .hidden. ", "hidden"),
        ("über 猫", "über 猫"),
    ],
)
def test_odd_titles_become_safe_names(title, name):
    assert safe_name(title) == name


@given(st.text() | st.text(alphabet="./\\ 猫\0", max_size=300))
def test_any_title_is_a_safe_name(title):
    name = safe_name(title)
    assert 0 < len(name.encode()) <= 121
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert name == name.strip(". ")
