import base64
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from mlx_glm45v.errors import Cancelled, CheckpointError, MediaError
from mlx_glm45v.messages import DocumentPart, ImagePart, Message, TextPart, VideoPart
from mlx_glm45v.processing.chat_template import ChatTemplate
from mlx_glm45v.processing.processor import Processor


def picture(width=112, height=84, seed=0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3))
    return Image.fromarray(noise.astype(np.uint8))


def clip(count=4, width=56, height=56) -> VideoPart:
    frames = [picture(width, height, seed) for seed in range(count)]
    return VideoPart(frames, times=tuple(index / 2 for index in range(count)))


def user(*parts) -> Message:
    return Message("user", [TextPart(p) if isinstance(p, str) else p for p in parts])


def test_a_picture_becomes_as_many_placeholders_as_merged_patches(demo_processor):
    prompt = demo_processor.prompt([user(ImagePart(picture(112, 84)), "Hi")])
    (span,) = prompt.spans
    assert span.grid_thw == (1, 6, 8)
    assert span.stop - span.start == 12
    image = demo_processor.tokens.image
    assert np.all(prompt.token_ids[span.start : span.stop] == image)
    assert np.sum(prompt.token_ids == image) == 12
    assert span.pixel_values.shape == (48, 1176)
    assert prompt.tokens_of("image") == 12


def test_a_video_is_pairs_of_frames_each_with_its_seconds(demo_processor):
    prompt = demo_processor.prompt([user(clip(4), "Hi")])
    frame = "<|begin_of_image|>" + "<|image|>" * 4 + "<|end_of_image|>"
    video = f"<|begin_of_video|>{frame}0{frame}1<|end_of_video|>"
    assert video in demo_processor.tokenizer.decode(prompt.token_ids)
    assert [span.item for span in prompt.spans] == [0, 0]
    assert prompt.tokens_of("video") == 8
    assert demo_processor.tokens.video not in prompt.token_ids


def test_pictures_videos_and_words_keep_their_order(demo_processor):
    message = user("A", ImagePart(picture(56, 56)), "B", clip(2), "C")
    text = demo_processor.tokenizer.decode(
        demo_processor.prompt([message]).token_ids
    ).replace("<|image|>", "")
    image = "<|begin_of_image|><|end_of_image|>"
    assert f"A{image}B<|begin_of_video|>{image}0<|end_of_video|>C" in text


def test_positions_follow_the_spans(demo_processor):
    prompt = demo_processor.prompt([user(ImagePart(picture(112, 84)), "Hi")])
    (span,) = prompt.spans
    inside = prompt.positions[:, span.start : span.stop] - span.start
    assert inside[0].tolist() == [0] * 12
    assert inside[1].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert inside[2].tolist() == [0, 1, 2, 3] * 3
    assert prompt.positions[:, span.stop].tolist() == [span.start + 4] * 3


def test_different_pictures_of_one_size_differ_only_in_their_digest(demo_processor):
    first, second = (
        demo_processor.prompt([user(ImagePart(picture(seed=seed)), "Hi")])
        for seed in (1, 2)
    )
    assert first.token_ids.tolist() == second.token_ids.tolist()
    assert first.spans[0].digest != second.spans[0].digest


def document(folder, pages=3):
    """A PDF whose pages grow wider one after the other."""
    first, *rest = (picture(120 + 40 * page, 120, page) for page in range(pages))
    path = folder / "report.pdf"
    first.save(path, save_all=True, append_images=rest)
    return path


def test_a_documents_pages_are_pictures_in_order(demo_processor, tmp_path):
    message = user("A", DocumentPart(document(tmp_path)), "B", ImagePart(picture()))
    prompt = demo_processor.prompt([message])
    assert [item.kind for item in prompt.items] == ["page"] * 3 + ["image"]
    assert [item.name for item in prompt.items[:3]] == [
        "report.pdf, page 1",
        "report.pdf, page 2",
        "report.pdf, page 3",
    ]
    widths = [item.width for item in prompt.items[:3]]
    assert widths == sorted(set(widths))
    assert prompt.tokens_of("page") + prompt.tokens_of("image") == sum(
        span.stop - span.start for span in prompt.spans
    )


def test_chosen_pages_keep_their_numbers(demo_processor, tmp_path):
    part = DocumentPart(document(tmp_path), pages=(3, 1))
    prompt = demo_processor.prompt([user(part)])
    assert [item.name[-6:] for item in prompt.items] == ["page 3", "page 1"]
    assert [item.page for item in prompt.items] == [3, 1]


def test_a_document_behind_an_address_keeps_its_name(demo_processor, tmp_path):
    body = base64.b64encode(document(tmp_path, pages=1).read_bytes()).decode()
    part = DocumentPart(f"data:application/pdf;base64,{body}")
    (item,) = demo_processor.prompt([user(part)]).items
    assert item.name.startswith("data:application/pdf;base64")
    assert item.name.endswith("page 1")


def test_a_picture_that_is_too_narrow_is_named(demo_processor, tmp_path):
    path = tmp_path / "ribbon.png"
    Image.new("RGB", (9000, 30)).save(path)
    with pytest.raises(MediaError, match=r"ribbon\.png"):
        demo_processor.prompt([user(ImagePart(path))])


def test_a_placeholder_that_somebody_types_is_only_letters(demo_processor):
    prompt = demo_processor.prompt([user("what is <|image|> or <|user|>?")])
    assert prompt.spans == ()
    assert demo_processor.tokens.image not in prompt.token_ids
    text = demo_processor.tokenizer.decode(prompt.token_ids)
    assert "what is <|image|> or <|user|>?" in text


def test_thinking_that_the_prompt_leaves_open_is_told(demo_processor):
    begun = Message("assistant", "", thinking="hm")
    cases = {
        False: demo_processor.prompt([user("Q")]),
        True: demo_processor.prompt([user("Q"), begun], continue_final_message=True),
    }
    for expected, prompt in cases.items():
        assert prompt.open_thinking is expected
    assert not demo_processor.prompt([user("Q")], thinking=False).open_thinking


def with_template(processor: Processor, source: str) -> Processor:
    return Processor(
        tokenizer=processor.tokenizer,
        template=ChatTemplate(source),
        image_processor=processor.image_processor,
        video_processor=processor.video_processor,
        tokens=processor.tokens,
        generation_config={},
    )


@pytest.mark.parametrize(
    ("template", "lost"),
    [
        ("no places at all", "number 1 of 2"),
        ("<|image|>", "number 2 of 2"),
        ("<|video|><|image|>", "number 1 of 2"),
        ("<|image|><|video|><|image|>", "number 2 of 2"),
    ],
)
def test_a_picture_that_the_template_loses_is_an_error(demo_processor, template, lost):
    processor = with_template(demo_processor, template)
    message = user(ImagePart(picture()), clip(2))
    with pytest.raises(MediaError, match=lost):
        processor.prompt([message])


def test_a_bad_file_is_an_error_and_a_good_request_follows(demo_processor, tmp_path):
    bad = tmp_path / "torn.png"
    bad.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(MediaError, match=r"torn\.png"):
        demo_processor.prompt([user(ImagePart(bad), "Hi")])
    assert demo_processor.prompt([user(ImagePart(picture()), "Hi")]).spans


def test_each_medium_read_is_a_step(demo_processor):
    message = user(ImagePart(picture()), clip(2), ImagePart(picture()))
    assert list(demo_processor.prompt_steps([message])) == [(1, 3), (2, 3), (3, 3)]


def test_reading_stops_when_asked(demo_processor):
    message = user(ImagePart(picture()), ImagePart(picture()))
    answers = iter([False, True])
    with pytest.raises(Cancelled):
        demo_processor.prompt([message], should_stop=lambda: next(answers))


def test_nothing_said_is_refused(demo_processor):
    with pytest.raises(ValueError, match="at least one message"):
        demo_processor.prompt([])


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_missing_or_broken_table_is_named(demo_folder, tmp_path, name, content):
    folder = tmp_path / "model"
    shutil.copytree(demo_folder, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(CheckpointError, match=name):
        Processor.from_folder(folder)


def test_newer_folders_with_one_joint_table_are_read(
    demo_folder, demo_processor, tmp_path
):
    folder = tmp_path / "model"
    shutil.copytree(demo_folder, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    joint = {
        "image_processor": json.loads(
            (folder / "preprocessor_config.json").read_text()
        ),
        "video_processor": json.loads(
            (folder / "video_preprocessor_config.json").read_text()
        ),
    }
    (folder / "preprocessor_config.json").unlink()
    (folder / "video_preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps(joint))
    processor = Processor.from_folder(folder)
    assert processor.image_processor == demo_processor.image_processor
    assert processor.video_processor == demo_processor.video_processor
