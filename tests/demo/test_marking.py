import pytest
from demo_training.marking import mark, overlap


@pytest.mark.parametrize(
    ("other", "share"),
    [
        ((0, 0, 100, 100), 1.0),
        ((50, 0, 150, 100), 1 / 3),
        ((100, 100, 200, 200), 0.0),
        ((50, 50, 20, 20), 0.0),
    ],
)
def test_overlap_is_intersection_over_union(other, share):
    assert overlap((0, 0, 100, 100), other) == pytest.approx(share)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("The star is here: [[110,100,210,200]]", True),
        ("The star is here: [[160,100,260,200]]", False),
        ("The circle is here: [[100,100,200,200]]", False),
        ("The star is here: [[100,100,200,200]][[0,0,9,9]]", False),
        ("The star is here.", False),
    ],
)
def test_a_box_is_right_where_words_are_and_it_fits(said, right):
    box = "<|begin_of_box|>[[100,100,200,200]]<|end_of_box|>"
    found = mark(said, f"The star is here: {box}")
    assert found.right == right
    assert found.overlap is not None


def test_a_box_is_measured_against_the_exact_one_where_it_is_known():
    said = "The star is here: [[100,100,200,200]]"
    found = mark(said, said, box=(100, 100, 200, 150))
    assert found.overlap == pytest.approx(0.5)


def test_words_are_right_as_a_whole():
    assert mark("There is one shape.", "There is one shape.").right
    assert not mark("There is one star.", "There is one shape.").right
    assert mark("a", "a").overlap is None
