import pytest

from mlx_glm45v.messages import ImagePart, Message, TextPart


def test_a_string_is_one_part():
    assert Message("user", "Hi") == Message("user", [TextPart("Hi")])


def test_the_text_of_a_message_leaves_media_out():
    message = Message("user", [TextPart("a"), ImagePart("x.png"), TextPart("b")])
    assert message.text == "ab"


def test_an_unknown_role_is_named():
    with pytest.raises(ValueError, match="'robot'"):
        Message("robot", "Hi")


def test_a_part_of_no_kind_is_named():
    with pytest.raises(TypeError, match="int"):
        Message("user", [3])
