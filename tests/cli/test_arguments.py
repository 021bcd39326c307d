import pytest

from mlx_glm45v.cli.arguments import default_question, media_part, parse
from mlx_glm45v.messages import DocumentPart, ImagePart, VideoPart


def test_media_keep_the_order_they_were_given_in():
    arguments = parse(
        ["q", "--image", "a", "--video", "b", "--image", "c", "--document", "d"]
    )
    assert arguments.media == [
        ("image", "a"),
        ("video", "b"),
        ("image", "c"),
        ("document", "d"),
    ]


def test_two_parses_do_not_share_their_media():
    parse(["q", "--image", "a"])
    assert parse(["q", "--image", "b"]).media == [("image", "b")]


@pytest.mark.parametrize("words", [["hi"], ["-p", "hi"], ["--prompt", "hi"]])
def test_the_prompt_has_three_spellings(words):
    assert parse(words).question == "hi"


@pytest.mark.parametrize(
    ("words", "thinking"),
    [([], None), (["--thinking"], True), (["--no-thinking"], False)],
)
def test_thinking_is_on_off_or_left_to_the_template(words, thinking):
    assert parse(["q", *words]).thinking is thinking


def test_options_reach_the_parts():
    arguments = parse(["q", "--fps", "1.5", "--max-pixels", "5000", "--pages", "1-3,7"])
    assert media_part("image", "a", arguments) == ImagePart("a", max_pixels=5000)
    assert media_part("video", "a", arguments) == VideoPart(
        "a", fps=1.5, max_pixels=5000
    )
    assert media_part("document", "a", arguments) == DocumentPart(
        "a", pages=(1, 2, 3, 7), max_pixels=5000
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to ask"),
        (["a", "--prompt", "b"], "once"),
        ([" "], "empty"),
        (["q", "--chat", "--json"], "--json"),
        (["q", "--temp", "-1"], "below 0"),
        (["q", "--temp", "warm"], "not a number"),
        (["q", "--temp", "nan"], "not a number"),
        (["q", "--top-p", "1.5"], "between 0 and 1"),
        (["q", "--top-p", "0"], "not above 0"),
        (["q", "--top-k", "-3"], "--top-k"),
        (["q", "--max-tokens", "0"], "below 1"),
        (["q", "--max-tokens", "many"], "whole number"),
        (["q", "--fps", "0"], "not above 0"),
        (["q", "--max-pixels", "0"], "below 1"),
        (["q", "--pages", "3-1"], "no range"),
        (["q", "--pages", "one"], "whole number"),
        (["q", "--pages", "1-4000000000"], "no document"),
        (["q", "--seed", "1.5"], "whole number"),
        (["q", "--seed", str(2**64)], "below 2**64"),
        (["q", "--thinking-budget", "-1"], "--thinking-budget"),
        (["q", "--smell"], "--smell"),
        (["q", "--output", "a"], "--batch"),
        (["q", "--batch", "a"], "its lines are the questions"),
        (["--image", "p", "--batch", "a"], "its lines are the questions"),
        (["--batch", "a", "--chat"], "--chat"),
        (["--batch", "a", "--json"], "--json"),
        (["--batch", "a", "--stats"], "--stats"),
        (["--batch", "a", "--draw-boxes", "b"], "--draw-boxes"),
        (
            ["--batch", "a", "--kv-bits", "8", "--quantized-kv-start", "9"],
            "--quantized-kv-start cannot be used with --batch",
        ),
        (["--batch", "a", "--batch-size", "0"], "below 1"),
    ],
)
def test_wrong_usage_is_status_2_and_says_what(words, said, capsys):
    with pytest.raises(SystemExit) as exit_:
        parse(words)
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("parts", "question"),
    [
        ([ImagePart("a")], "Describe this image."),
        ([ImagePart("a"), ImagePart("b")], "Describe these images."),
        ([ImagePart("a"), VideoPart("b")], "Describe this video."),
        ([DocumentPart("a")], "Describe this document."),
    ],
)
def test_media_without_words_get_a_question(parts, question):
    assert default_question(parts) == question
