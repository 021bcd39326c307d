import io

from mlx_glm45v.cli.batch_bar import BatchBar
from mlx_glm45v.cli.terminal import Terminal
from tests.cli.test_terminal import Tty


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def drawn(err, steps, *, total=40, before=10, columns=200):
    """The last line after (second, lines, tokens) of `steps`."""
    clock = Clock()
    bar = BatchBar(
        Terminal(io.StringIO(), err),
        total=total,
        before=before,
        clock=clock,
        columns=columns,
    )
    for clock.now, done, tokens in steps:
        bar.show(done, tokens)
    return err.getvalue().split("\x1b[K")[-1]


def test_the_bar_counts_lines_of_earlier_runs_but_rates_this_one():
    line = drawn(Tty(), [(5.0, 5, 200), (10.0, 10, 500)])
    assert line == (
        "[############------------] 20 of 40 lines  1.0 lines/s  50 tokens/s  20 s left"
    )


def test_slow_lines_are_counted_by_the_minute():
    assert "12.0 lines/min  10 tokens/s  1 min 55 s left" in drawn(
        Tty(), [(35.0, 7, 350)]
    )


def test_before_anything_is_done_nothing_is_foretold():
    assert drawn(Tty(), [(0.5, 0, 3)]).endswith("10 of 40 lines")
    assert drawn(Tty(), [(5.0, 0, 100)]).endswith("10 of 40 lines  20 tokens/s")


def test_the_rate_is_that_of_the_last_minute():
    slow = [(float(second), 0, 0) for second in range(1, 100)]
    fast = [(float(second), second - 99, 0) for second in range(100, 161)]
    assert "1.0 lines/s" in drawn(Tty(), [*slow, *fast], total=400)


def test_it_is_drawn_ten_times_a_second_at_most():
    err = Tty()
    drawn(err, [(0.1 + step / 1000, 0, step) for step in range(100)])
    assert err.getvalue().count("\x1b[K") == 1


def test_a_narrow_terminal_cuts_it():
    assert len(drawn(Tty(), [(5.0, 5, 200)], columns=30)) == 29


def test_a_file_gets_a_line_every_half_minute():
    err = io.StringIO()
    drawn(err, [(float(second), second, second) for second in range(1, 70)], total=99)
    assert err.getvalue() == (
        "40 of 99 lines  1.0 lines/s  1 tokens/s  59 s left\n"
        "70 of 99 lines  1.0 lines/s  1 tokens/s  29 s left\n"
    )


def test_the_summary_says_what_came_of_it():
    clock = Clock()
    bar = BatchBar(Terminal(err=io.StringIO()), total=3, before=0, clock=clock)
    clock.now = 90.0
    assert bar.summary(3, 0, 900) == (
        "3 lines answered in 1 min 30 s, 2.0 lines/min, 10 tokens/s"
    )
    assert bar.summary(1, 2, 90).startswith("1 line answered in 1 min 30 s, 2 failed")
