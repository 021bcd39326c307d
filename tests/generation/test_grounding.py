import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.generation.events import TextDelta
from mlx_glm45v.generation.grounding import Box, find_boxes
from mlx_glm45v.processing.prompt import MediaItem

PHOTO = MediaItem("image", "photo.jpg", 2000, 1000)
SMALL = MediaItem("image", "small.png", 100, 200)
CLIP = MediaItem("video", "clip.mp4", 640, 480)


def page(number: int) -> MediaItem:
    return MediaItem("page", f"report.pdf, page {number}", 1000, 1000)


def corners(answer, items=(PHOTO,)):
    return [(b.left, b.top, b.right, b.bottom) for b in find_boxes(answer, items)]


@pytest.mark.parametrize(
    "answer",
    [
        "[100, 200, 300, 450]",
        "[[100,200,300,450]]",
        "[[ 100 , 200 , 300 , 450 ]]",
        "(100, 200, 300, 450)",
        "(100,200),(300,450)",
        "(100, 200) (300, 450)",
        "[[100, 200], [300, 450]]",
        "{100, 200, 300, 450}",
        "<100, 200, 300, 450>",
        "[100 200 300 450]",
        "[100.0, 200.00, 300.0, 450.0]",
        "\uff08100\uff0c200\uff0c300\uff0c450\uff09",
        "\u3010100, 200, 300, 450\u3011",
        '{"bbox_2d": [100, 200, 300, 450], "label": "dog"}',
        '```json\n[{"bbox_2d": [100, 200, 300, 450], "label": "dog"}]\n```',
        "<|begin_of_box|>[[100, 200, 300, 450]]<|end_of_box|>",
        "<|begin_of_box|>[100, 200, 300, 450]<|end_of_box|>",
        "<|begin_of_box|>100, 200, 300, 450<|end_of_box|>",
        "<think>[1, 5, 7, 9]</think>\nThe dog: [[100, 200, 300, 450]].",
    ],
)
def test_every_bracket_style_is_read(answer):
    assert corners(answer) == [(200, 200, 600, 450)]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no box",
        "[100, 200, 300]",
        "[100, 200, 300, 450, 500]",
        "[2019, 2020, 2021, 2022]",
        "[1, 2, 3, 4]",
        "[10, 20, 30, 40]",
        "[0.1, 0.2, 0.5, 0.7]",
        "[300, 450, 100, 200]",
        "[[100, 200, 300, 4500]]",
        "<|begin_of_box|>[1, 2, 3, 4]<|end_of_box|>",
        "rgba(10, 20, 30, 45)",
        "```python\nx = [1, 5, 20, 60]\n```",
        "[,,,]",
        "[1e3, 2, 3, 4]",
        "[" + "9" * 400 + ", 1, 2, 3]",
    ],
)
def test_other_lists_are_no_boxes(answer):
    assert find_boxes(answer, [PHOTO]) == ()


def test_several_boxes_keep_their_order():
    answer = "[[0, 0, 10, 20], [500, 500, 1000, 1000], [1, 2, 3, 4]]"
    assert corners(answer) == [
        (0, 0, 20, 20),
        (1000, 500, 2000, 1000),
        (2, 2, 6, 4),
    ]


def test_values_are_clamped_and_corners_put_in_order():
    assert corners("[[1010, 450, -3, 200]]") == [(0, 200, 2000, 450)]


def test_without_a_picture_there_are_no_boxes():
    assert find_boxes("[[100, 200, 300, 450]]", []) == ()


@pytest.mark.parametrize(
    ("answer", "item"),
    [
        ("[[1, 5, 7, 9]]", 1),
        ("In image 1 the cat is at [[1, 5, 7, 9]].", 0),
        ("In Image #2: [[1, 5, 7, 9]]", 1),
        ("The first picture shows a cat [[1, 5, 7, 9]]", 0),
        ("Not in image 1 but in the second photo: [[1, 5, 7, 9]]", 1),
        ("image 7 has [[1, 5, 7, 9]]", 1),
        ("\u7b2c\u4e00\u5f20\u56fe\u4e2d [[1, 5, 7, 9]]", 0),
        ("\u56fe2\uff1a[[1, 5, 7, 9]]", 1),
        ("[[1, 5, 7, 9]] is in image 1", 1),
    ],
)
def test_the_picture_named_last_before_the_box_is_meant(answer, item):
    (box,) = find_boxes(answer, [PHOTO, SMALL, CLIP])
    assert box.item == item


def test_pages_are_found_by_their_own_number():
    items = [PHOTO, page(7), page(8)]
    boxes = find_boxes(
        "Page 7: [[1,5,7,9]], page 8: [[1,5,7,9]], image 1: [[1,5,7,9]]", items
    )
    assert [box.item for box in boxes] == [1, 2, 0]


def test_a_video_is_meant_where_there_is_no_picture():
    assert corners("[[0, 0, 500, 500]]", [CLIP]) == [(0, 0, 320, 240)]


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ('[{"bbox_2d": [1, 5, 7, 9], "label": "red car"}]', "red car"),
        ('[{"label": "red car", "bbox_2d": [1, 5, 7, 9]}]', "red car"),
        ("The red car is at [[1, 5, 7, 9]].", "red car"),
        ("- **red car**: [[1, 5, 7, 9]]", "red car"),
        ("1. red car: <|begin_of_box|>[[1, 5, 7, 9]]<|end_of_box|>", "red car"),
        ("I looked. A red car, located at (1, 5, 7, 9)", "red car"),
        ("The red car is here: [[1, 5, 7, 9]]", "red car"),
        ("Here is the red car: [[1, 5, 7, 9]]", "red car"),
        ("[[1, 5, 7, 9]]", ""),
    ],
)
def test_a_box_carries_what_the_answer_calls_it(answer, label):
    (box,) = find_boxes(answer, [PHOTO])
    assert box.label == label


def test_two_labelled_objects_keep_their_labels():
    answer = (
        '[{"bbox_2d": [1,5,7,9], "label": "a"}, {"bbox_2d": [2,5,7,9], "label": "b"}]'
    )
    assert [box.label for box in find_boxes(answer, [PHOTO])] == ["a", "b"]


def test_boxes_may_be_split_over_deltas():
    deltas = [
        TextDelta("thinking", "[[9, 20, 9, 60]]"),
        TextDelta("answer", "Here: [[1"),
        TextDelta("answer", "00, 200, 300, 4"),
        TextDelta("answer", "50]]"),
    ]
    assert find_boxes(deltas, [PHOTO]) == (
        Box("", 0, 200, 200, 600, 450, start=7, stop=27),
    )


@pytest.mark.parametrize(
    ("deltas", "named"),
    [
        ([("Dog [[1, 5, 7, 9]].", False)], ["[1, 5, 7, 9]"]),
        (
            [("A \uff081\uff0c5\uff0c7\uff0c9\uff09", False)],
            ["\uff081\uff0c5\uff0c7\uff0c9\uff09"],
        ),
        ([("Dog (1, 5), (7, 9)", False)], ["(1, 5), (7, 9)"]),
        (
            [("Dog ", False), ("1, 5, 7, 9", True), (" and cat [2, 5, 7, 9]", False)],
            ["1, 5, 7, 9", "[2, 5, 7, 9]"],
        ),
    ],
)
def test_a_box_says_which_characters_name_it(deltas, named):
    said = [TextDelta("answer", text, boxed) for text, boxed in deltas]
    answer = "".join(text for text, _ in deltas)
    boxes = find_boxes(said, [PHOTO])
    assert [answer[box.start : box.stop] for box in boxes] == named


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([*"[](){}<>,.;: \n0123456789", "bbox", "image 2", "-", "```"]),
        max_size=60,
    ).map("".join)
)
def test_no_text_makes_it_raise_and_boxes_stay_inside(text):
    for box in find_boxes(text, [PHOTO, SMALL]):
        picture = [PHOTO, SMALL][box.item]
        assert 0 <= box.left <= box.right <= picture.width
        assert 0 <= box.top <= box.bottom <= picture.height
        assert 0 <= box.start < box.stop <= len(text)
