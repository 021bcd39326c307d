"""The table of scores in the demo's README."""

import pytest
from demo_training.lessons import SCORED
from table_demo import README, Amounts, Row, percent, replaced, sorts_of, table

AMOUNTS = Amounts(shown=50, blind=20, alike=6)
DESCRIBE = Row(right=(50, 49), blind=(1, 0), another=2, alike=12, boxes=None)
BOX = Row(right=(48, 47), blind=(0, 0), another=0, alike=11, boxes=(0.812, 0.789))
GREETING = Row(right=(50, 50), blind=None, another=None, alike=12, boxes=None)
WHEN = Row(right=(45, 46), blind=(0, 1), another=3, alike=12, boxes=None)


def test_a_row_tells_shares_in_per_cent():
    told = table({"describe": DESCRIBE, "when": WHEN}, AMOUNTS).splitlines()
    assert told[2] == "| describe | 100 | 98 | 5 / 0 | 10 | 12 of 12 |"
    assert told[3] == "| when | 90 | 92 | 0 / 5 | 15 | 12 of 12 |"


def test_boxes_are_told_with_their_overlap():
    told = table({"box": BOX, "when": WHEN}, AMOUNTS)
    assert "| box | 96 (IoU 0.81) | 94 (IoU 0.79) | 0 / 0 | 0 | 11 of 12 |" in told


def test_kinds_without_media_are_asked_as_they_are():
    told = table({"greeting": GREETING, "when": WHEN}, AMOUNTS)
    assert "| greeting | 100 | 100 | as asked | as asked | 12 of 12 |" in told


def test_the_lowest_of_pictures_and_of_videos_stand_below():
    rows = {"describe": DESCRIBE, "box": BOX, "when": WHEN}
    assert table(rows, AMOUNTS).endswith("\n\nLowest: box 94 %; when 90 %.")
    assert table({"when": WHEN}, AMOUNTS).endswith("\n\nLowest: when 90 %.")


def test_every_line_has_the_columns_of_the_head():
    rows = {"describe": DESCRIBE, "box": BOX, "greeting": GREETING, "when": WHEN}
    lines = [one for one in table(rows, AMOUNTS).splitlines() if one.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1


def test_pictures_are_told_from_videos_and_several_turns():
    (_, pictures), (_, others) = sorts_of(SCORED)
    assert sorted([*pictures, *others]) == sorted(SCORED)
    assert {"box", "page", "what changed", "greeting"} <= set(pictures)
    assert {"when", "third turn", "turns about a video", "one of both"} <= set(others)


def test_a_share_of_nothing_is_left_empty():
    assert percent(1, 3) == "33"
    assert percent(0, 0) == ""


def test_what_stands_between_marks_is_replaced():
    text = (
        "a\n<!-- x begins -->\nold\n<!-- x ends -->\n<!-- y begins --><!-- y ends -->"
    )
    told = replaced(text, "x", "| new |")
    assert told == text.replace("old", "| new |")
    assert replaced(told, "x", "| new |") == told
    assert "<!-- y begins -->\nz\n<!-- y ends -->" in replaced(text, "y", "z")


@pytest.mark.parametrize("text", ["", "<!-- x begins -->", "<!-- x ends -->"])
def test_a_readme_without_marks_is_told(text):
    with pytest.raises(SystemExit, match="no marks <!-- x begins -->"):
        replaced(text, "x", "new")


@pytest.mark.parametrize("name", ["scores", "bits"])
def test_the_demos_readme_has_the_marks(name):
    assert "| new |" in replaced(README.read_text(), name, "| new |")


def test_the_demos_readme_tells_every_kind():
    told = README.read_text().split("<!-- scores begins -->")[1]
    told = told.split("<!-- scores ends -->")[0]
    assert [kind for kind in SCORED if f"\n| {kind} | " not in told] == []
