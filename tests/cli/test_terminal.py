import io

import pytest

from mlx_glm45v.cli.terminal import Terminal
from mlx_glm45v.generation.events import Finished, PrefillProgress, TextDelta, Usage


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


ANSWER = [
    PrefillProgress("vision", 5, 10),
    TextDelta("thinking", "hm"),
    TextDelta("answer", "It "),
    TextDelta("answer", "is.", boxed=True),
    Finished("stop", Usage()),
]


def shown(events, out, err, **options):
    terminal = Terminal(out, err, **options)
    for event in events:
        terminal.show(event)
    return out.getvalue(), err.getvalue()


def test_the_answer_alone_is_on_standard_output():
    out, err = shown(ANSWER, io.StringIO(), io.StringIO())
    assert out == "It is.\n"
    assert err == "hm\n"


def test_thinking_is_dimmed_and_progress_wiped_on_a_terminal():
    _, err = shown(ANSWER, io.StringIO(), Tty())
    assert err == "\r\x1b[Klooking 5 of 10\r\x1b[K\x1b[2mhm\x1b[0m\n"


def test_an_answer_for_programs_is_not_streamed():
    out, err = shown(ANSWER, io.StringIO(), io.StringIO(), show_answer=False)
    assert out == ""
    assert err == "hm\n"


@pytest.mark.parametrize(
    ("reason", "note"), [("stop", ""), ("length", "cut"), ("cancelled", "stopped")]
)
def test_an_early_end_is_told(reason, note):
    _, err = shown([Finished(reason, Usage())], io.StringIO(), io.StringIO())
    assert note in err
    assert bool(err) == bool(note)


def test_the_models_words_cannot_steer_a_terminal():
    delta = TextDelta("answer", "a\x1b]0;evil\x07b\tc\n\x9bd")
    out, _ = shown([delta], Tty(), Tty())
    assert out == "a]0;evilb\tc\nd"


def test_words_in_a_pipe_stay_as_they_are():
    out, _ = shown([TextDelta("answer", "a\x1bb")], io.StringIO(), io.StringIO())
    assert out == "a\x1bb"


def test_statistics_name_every_count():
    err = io.StringIO()
    usage = Usage(
        prompt_tokens=1234,
        image_tokens=1000,
        video_tokens=99,
        generated_tokens=11,
        thinking_tokens=7,
        decode_seconds=2.0,
        peak_memory=3_000_000_000,
    )
    Terminal(io.StringIO(), err).stats(usage)
    for told in ("1,234", "1,000", "99", "11", "7 of thinking", "5.0 tokens/s", "3.00"):
        assert told in err.getvalue()
