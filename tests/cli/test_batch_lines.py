import json
import os

import pytest

from mlx_glm45v.cli.arguments import parse
from mlx_glm45v.cli.batch_lines import read_lines
from mlx_glm45v.errors import Glm45vError
from mlx_glm45v.messages import DocumentPart, ImagePart, Message, TextPart, VideoPart


@pytest.fixture
def read(tmp_path):
    """Reads lines, given as objects or as they are written."""

    def read_(*rows, words=()):
        path = tmp_path / "in.jsonl"
        written = [
            row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows
        ]
        path.write_bytes(b"\n".join(written) + b"\n")
        return read_lines(parse(["--batch", str(path), *words]))

    return read_


def test_a_line_becomes_a_conversation(read, tmp_path):
    (line,) = read(
        {
            "id": 7,
            "prompt": " What? ",
            "images": ["a b.png", "/x/c.png", "https://host/d.png", "data:,e"],
            "videos": ["v.mp4"],
            "documents": ["sub/r.pdf"],
            "system": "Be brief.",
            "thinking": False,
        },
        words=["--max-pixels", "5000", "--fps", "2", "--pages", "1"],
    )
    assert (line.number, line.id, line.thinking, line.error) == (1, 7, False, None)
    images = [str(tmp_path / "a b.png"), "/x/c.png", "https://host/d.png", "data:,e"]
    assert line.messages == (
        Message("system", "Be brief."),
        Message(
            "user",
            [
                *(ImagePart(each, max_pixels=5000) for each in images),
                VideoPart(str(tmp_path / "v.mp4"), fps=2.0, max_pixels=5000),
                DocumentPart(str(tmp_path / "sub/r.pdf"), pages=(1,), max_pixels=5000),
                TextPart("What?"),
            ],
        ),
    )


def test_the_command_lines_system_and_thinking_are_the_lines_defaults(read):
    words = ["--system", "S", "--no-thinking"]
    plain, own = read(
        {"prompt": "a"}, {"prompt": "a", "system": "", "thinking": True}, words=words
    )
    assert plain.messages[0] == Message("system", "S")
    assert plain.thinking is False
    assert len(own.messages) == 1
    assert own.thinking is True


def test_media_without_words_get_a_question(read):
    (line,) = read({"images": ["a", "b"], "prompt": "  "})
    assert line.messages[0].text == "Describe these images."


def test_blank_lines_count_but_are_none(read):
    lines = read(b"", {"prompt": "a"}, b"  ", {"prompt": "b"})
    assert [line.number for line in lines] == [2, 4]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (b"{", "not JSON: Expecting property name"),
        (b'{"prompt": "a"} x', "not JSON: Extra data (column 17)"),
        (b'{"prompt": "\xff"}', "not UTF-8 (byte 13)"),
        (b'{"prompt": "\\ud800"}', "half of a character"),
        (b"[" * 100_000, "not JSON that can be read"),
        (b'{"id": ' + b"1" * 5000 + b"}", "not JSON that can be read"),
        ([], "not a JSON object"),
        ({"prompt": "a", "imgs": []}, "unknown field 'imgs'; there are id, prompt,"),
        ({"prompt": 1}, "prompt is text"),
        ({"prompt": "a", "images": "a.png"}, "images is a list"),
        ({"prompt": "a", "videos": [1]}, "videos is a list"),
        ({"prompt": "a", "documents": [""]}, "documents is a list"),
        ({"prompt": "a", "thinking": 1}, "thinking is true or false"),
        ({"prompt": "a", "system": 1}, "system is text"),
        ({"prompt": "a", "id": True}, "id is text or a whole number"),
        ({"prompt": "a", "id": 1.5}, "id is text or a whole number"),
        ({}, "nothing to ask"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_and_the_others_are_read(read, row, said):
    before, wrong, after = read({"prompt": "a"}, row, {"prompt": "b"})
    assert said in wrong.error
    assert wrong.number == 2
    assert wrong.messages == ()
    assert before.error is after.error is None


def test_a_wrong_line_keeps_its_id(read):
    (line,) = read({"id": "a", "prompt": 1})
    assert line.id == "a"


def test_an_id_is_used_once(read):
    first, second, other = read(*({"id": each, "prompt": "a"} for each in "aab"))
    assert first.error is other.error is None
    assert second.error == "the id 'a' is line 1's already"
    assert second.digest != first.digest


def test_a_digest_tells_a_changed_line_wherever_it_stands(read):
    a, b = read({"prompt": "a"}, {"prompt": "b"})
    _, again, changed = read({"prompt": "x"}, {"prompt": "a"}, {"prompt": "b!"})
    assert again.digest == a.digest
    assert changed.digest not in (a.digest, b.digest)


@pytest.mark.parametrize(
    "words",
    [
        *(["--model", "other"], ["--system", "S"], ["--temp", "1"], ["-m", "9"]),
        ["--kv-bits", "8"],
    ],
)
def test_a_digest_tells_other_settings(read, words):
    assert (
        read({"prompt": "a"})[0].digest != read({"prompt": "a"}, words=words)[0].digest
    )


@pytest.mark.parametrize("field", ["images", "videos", "documents"])
def test_a_digest_tells_a_file_that_was_replaced(read, tmp_path, field):
    rows = [{field: ["a"]}, {field: ["b", "https://host/a"]}, {"prompt": "a"}]
    file = tmp_path / "a"

    def digests():
        return [line.digest for line in read(*rows)]

    missing = digests()
    file.write_bytes(b"12")
    os.utime(file, ns=(1, 10**18))
    first = digests()
    assert digests() == first
    file.write_bytes(b"123")
    os.utime(file, ns=(1, 10**18))
    longer = digests()
    os.utime(file, ns=(1, 10**18 + 1))
    later = digests()
    assert len({each[0] for each in (missing, first, longer, later)}) == 4
    # What names other files, addresses or none is as it was.
    assert missing[1:] == first[1:] == longer[1:] == later[1:]


def test_a_question_is_the_same_whatever_its_files_are_now(read, tmp_path):
    row = {"images": ["a"]}
    (missing,) = read(row)
    (tmp_path / "a").write_bytes(b"12")
    (there,) = read(row)
    (other,) = read(row, words=["--temp", "1"])
    assert missing.question == there.question != other.question
    assert missing.digest != there.digest


def test_a_path_that_no_file_can_have_has_a_digest(read):
    (line,) = read({"images": ["a\0b"]})
    assert line.error is None


def test_a_digest_does_not_depend_on_the_batchs_size(read):
    words = ["--batch-size", "3"]
    assert (
        read({"prompt": "a"})[0].digest == read({"prompt": "a"}, words=words)[0].digest
    )


def test_a_file_that_is_missing_is_told():
    with pytest.raises(Glm45vError, match=r"no/such\.jsonl cannot be read: No such"):
        read_lines(parse(["--batch", "no/such.jsonl"]))
