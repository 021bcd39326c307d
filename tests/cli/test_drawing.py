import pytest
from PIL import Image

from mlx_glm45v.cli.drawing import draw_boxes, save_boxes
from mlx_glm45v.errors import MediaError
from mlx_glm45v.generation.events import Usage
from mlx_glm45v.generation.grounding import Box
from mlx_glm45v.messages import ImagePart, Message, VideoPart
from mlx_glm45v.processing.prompt import MediaItem
from mlx_glm45v.replies import Reply

WHITE = (255, 255, 255)


def reply(*boxes, pictures=2) -> Reply:
    media = tuple(MediaItem("image", f"{i}.png", 100, 80) for i in range(pictures))
    return Reply("", None, boxes, (), "stop", Usage(), media)


def talk(*sources) -> list[Message]:
    return [Message("user", [ImagePart(source)]) for source in sources]


def white() -> Image.Image:
    return Image.new("RGB", (100, 80), WHITE)


def test_a_box_is_outlined_and_lightly_filled_where_it_stands():
    drawn = draw_boxes(white(), [Box("", 0, 20, 10, 60, 50)])
    assert drawn.getpixel((20, 30)) == (10, 99, 201)
    inside = drawn.getpixel((40, 30))
    assert inside != WHITE
    assert min(inside) > 200
    assert drawn.getpixel((70, 60)) == WHITE


def test_a_label_stands_above_its_box_and_inside_at_the_top():
    for top in (40, 0):
        plain = draw_boxes(white(), [Box("", 0, 20, top, 80, 79)])
        labelled = draw_boxes(white(), [Box("cat", 0, 20, top, 80, 79)])
        assert plain.tobytes() != labelled.tobytes()


def test_the_picture_given_is_not_changed():
    image = white()
    draw_boxes(image, [Box("x", 0, 0, 0, 50, 50)])
    assert image.tobytes() == white().tobytes()


def test_boxes_go_to_the_picture_they_are_about(tmp_path):
    black = Image.new("RGB", (100, 80))
    out = tmp_path / "out.png"
    lines = save_boxes(talk(black, white()), reply(Box("", 1, 20, 10, 60, 50)), out)
    assert len(lines) == 1
    assert Image.open(out).getpixel((90, 70)) == WHITE


def test_boxes_on_a_video_are_told_and_not_drawn(tmp_path):
    media = (
        MediaItem("video", "clip.mp4", 100, 80),
        MediaItem("image", "a.png", 100, 80),
    )
    boxes = (Box("", 0, 0, 0, 9, 9), Box("", 1, 0, 0, 9, 9))
    said = Reply("", None, boxes, (), "stop", Usage(), media)
    parts = [VideoPart("clip.mp4"), ImagePart(white())]
    out = tmp_path / "out.png"
    first, second = save_boxes([Message("user", parts)], said, out)
    assert "clip.mp4" in first
    assert "not drawn" in first
    assert str(out) in second
    assert Image.open(out).getpixel((90, 70)) == WHITE


def test_each_picture_gets_a_file_of_its_own(tmp_path):
    boxes = [Box("", 0, 0, 0, 9, 9), Box("", 1, 0, 0, 9, 9)]
    save_boxes(talk(white(), white()), reply(*boxes), tmp_path / "out.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out-2.png", "out.png"]


@pytest.mark.parametrize(("count", "told"), [(1, "1 box on"), (2, "2 boxes on")])
def test_one_box_is_told_as_one(tmp_path, count, told):
    boxes = [Box("", 0, 0, 0, 9, 9)] * count
    (line,) = save_boxes(talk(white()), reply(*boxes), tmp_path / "out.png")
    assert line.startswith(told)


def test_no_boxes_are_told_and_nothing_is_written(tmp_path):
    (line,) = save_boxes(talk(white()), reply(), tmp_path / "out.png")
    assert "no boxes" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["missing/out.png", "out.strange"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, name):
    with pytest.raises(MediaError, match="cannot be written"):
        save_boxes(talk(white()), reply(Box("", 0, 0, 0, 9, 9)), tmp_path / name)
