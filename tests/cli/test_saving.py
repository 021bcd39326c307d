import json

import pytest

from mlx_glm45v.cli.saving import save_conversation
from mlx_glm45v.messages import ImagePart, Message, TextPart, ToolCall

TALK = [
    Message("system", "Be brief."),
    Message("user", [ImagePart("a b.png"), TextPart("What is it?")]),
    Message("assistant", "A **cat**.", thinking="fur\nears"),
]


def test_markdown_keeps_words_pictures_and_thoughts(tmp_path):
    path = tmp_path / "talk.md"
    save_conversation(TALK, path)
    assert path.read_text() == (
        "## System\n\nBe brief.\n\n"
        "## User\n\n![image](<a b.png>)\n\nWhat is it?\n\n"
        "## Assistant\n\n> fur\n> ears\n\nA **cat**.\n"
    )


def test_json_keeps_the_parts_in_order(tmp_path):
    path = tmp_path / "talk.json"
    save_conversation(TALK, path)
    rows = json.loads(path.read_text())
    assert [row["role"] for row in rows] == ["system", "user", "assistant"]
    assert rows[1]["content"] == [
        {"type": "image", "source": "a b.png"},
        {"type": "text", "text": "What is it?"},
    ]
    assert rows[2]["thinking"] == "fur\nears"


def test_tool_calls_are_kept(tmp_path):
    path = tmp_path / "talk.json"
    save_conversation(
        [Message("assistant", "", tool_calls=[ToolCall("f", {"a": 1})])], path
    )
    (row,) = json.loads(path.read_text())
    assert row["tool_calls"] == [{"name": "f", "arguments": {"a": 1}}]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError, match="folder"):
        save_conversation(TALK, target)
    assert list(tmp_path.iterdir()) == [target]


def test_an_older_file_is_replaced_whole(tmp_path):
    path = tmp_path / "talk.md"
    path.write_text("old " * 1000)
    save_conversation(TALK[:1], path)
    assert path.read_text() == "## System\n\nBe brief.\n"
