"""The files that a training run writes, a resumed one goes on with, and plots read."""

from demo_training.run_log import (
    LOSS_HEAD,
    LOSSES,
    SCORES,
    read_losses,
    read_scores,
    truncate_log,
)


def test_a_new_log_has_its_head(tmp_path):
    truncate_log(tmp_path / LOSSES, LOSS_HEAD, step=0)
    assert (tmp_path / LOSSES).read_text() == f"{LOSS_HEAD}\n"


def test_steps_behind_the_saved_one_are_taken_again(tmp_path):
    log = tmp_path / LOSSES
    log.write_text("step,words\n1,a\n2,b\n3,c\n10,d\n")
    truncate_log(log, "step,words", step=2)
    assert log.read_text() == "step,words\n1,a\n2,b\n"
    truncate_log(log, "step,words", step=2)
    assert log.read_text() == "step,words\n1,a\n2,b\n"


def test_losses_are_columns(tmp_path):
    (tmp_path / LOSSES).write_text(f"{LOSS_HEAD}\n1,0.5,2.0,0.001,0.3\n2,0.25,1,0,0\n")
    losses = read_losses(tmp_path)
    assert losses["step"] == [1, 2]
    assert losses["words"] == [0.5, 0.25]
    assert losses["rate"] == [0.001, 0]


def test_scores_are_of_kinds_that_may_have_commas(tmp_path):
    (tmp_path / SCORES).write_text(
        "step,kind,right\n"
        "500,page,0.5\n500,never taught, no picture,0.1\n1000,page,0.75\n"
    )
    assert read_scores(tmp_path) == {
        "page": [(500, 0.5), (1000, 0.75)],
        "never taught, no picture": [(500, 0.1)],
    }
