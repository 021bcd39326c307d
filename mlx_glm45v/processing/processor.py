"""Messages to a `Prompt`: the room where words, pictures and positions meet.

Knows the order of parts and that every picture must arrive. Does not know mlx, and
opens files only through `media`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from mlx_glm45v.errors import Cancelled, CheckpointError, MediaError
from mlx_glm45v.media.images import load_image, source_name
from mlx_glm45v.messages import (
    DocumentPart,
    ImagePart,
    Message,
    Part,
    TextPart,
    VideoPart,
)
from mlx_glm45v.processing.chat_template import ChatTemplate, unfence
from mlx_glm45v.processing.image_processor import ImageProcessor, Patches
from mlx_glm45v.processing.positions import PlaceholderRun, rope_positions
from mlx_glm45v.processing.prompt import MediaItem, MediaKind, MediaSpan, Prompt
from mlx_glm45v.processing.tokenizer import Tokenizer
from mlx_glm45v.processing.video_processor import VideoProcessor


@dataclass(frozen=True)
class MediaTokens:
    """Ids that stand for media in a prompt, from the checkpoint's config and names."""

    image: int
    video: int
    begin_of_image: int
    end_of_image: int
    assistant: int
    begin_of_thinking: int | None
    end_of_thinking: int | None


@dataclass(frozen=True)
class _Medium:
    """One picture or video with its patches, on its way into the token ids."""

    item: MediaItem
    frames: tuple[Patches, ...]
    time_texts: tuple[str, ...] | None  # None for a still picture


class Processor:
    """Turns a conversation into what the model reads.

    `generation_config` is the checkpoint's own table of sampling defaults and end ids.
    """

    def __init__(
        self,
        *,
        tokenizer: Tokenizer,
        template: ChatTemplate,
        image_processor: ImageProcessor,
        video_processor: VideoProcessor,
        tokens: MediaTokens,
        generation_config: Mapping[str, Any],
    ) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.image_processor = image_processor
        self.video_processor = video_processor
        self.tokens = tokens
        self.generation_config = dict(generation_config)

    @classmethod
    def from_folder(cls, folder: Path) -> Processor:
        """Reads everything but the weights from a checkpoint's folder.

        Raises:
            CheckpointError: a file is missing or not understood.
        """
        folder = Path(folder)
        config = _read_json(folder / "config.json")
        tokenizer = Tokenizer.from_folder(folder)
        images, videos = _media_configs(folder)
        generation = folder / "generation_config.json"
        return cls(
            tokenizer=tokenizer,
            template=ChatTemplate.from_folder(folder),
            image_processor=ImageProcessor.from_dict(images),
            video_processor=VideoProcessor.from_dict(videos),
            tokens=_media_tokens(config, tokenizer, folder),
            generation_config=_read_json(generation) if generation.is_file() else {},
        )

    def prompt(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        thinking: bool | None = None,
        continue_final_message: bool = False,
        should_stop: Callable[[], bool] | None = None,
    ) -> Prompt:
        """Renders, reads and places everything that `messages` say.

        `thinking` switches the template's thinking mode (None: the template's default);
        `tools` are JSON schemas of functions the model may call;
        `continue_final_message` goes on with the last message, an assistant's.

        Raises:
            MediaError: a picture, video or document cannot be used, or the template did
                not give it a place.
            CheckpointError: the template refuses the messages.
            Cancelled: `should_stop` returned True.
            ValueError: there are no messages, or nothing to continue.
        """
        steps = self.prompt_steps(
            messages,
            tools=tools,
            thinking=thinking,
            continue_final_message=continue_final_message,
            should_stop=should_stop,
        )
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    def prompt_steps(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        thinking: bool | None = None,
        continue_final_message: bool = False,
        should_stop: Callable[[], bool] | None = None,
    ) -> Generator[tuple[int, int], None, Prompt]:
        """The same as `prompt`, a medium at a time.

        Yields (done, total) after each picture, video or document page; the generator's
        return value is the prompt.
        """
        if not messages:
            raise ValueError("a prompt needs at least one message")
        shown = [_with_pages_as_images(message) for message in messages]
        text = self.template.render(
            shown,
            tools=tools,
            thinking=thinking,
            continue_final_message=continue_final_message,
        )
        template_ids = self._encode(text)
        # Before any file is read: a template that drops pictures fails at once.
        places = _media_parts(shown)
        self._check_placeholders(template_ids, places)
        media = []
        for medium in self._read(_media_parts(messages), should_stop):
            media.append(medium)
            yield len(media), len(places)
        return self._assemble(template_ids, media)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for piece, is_literal in unfence(text):
            encode = (
                self.tokenizer.encode_literally if is_literal else self.tokenizer.encode
            )
            ids.extend(encode(piece))
        return ids

    def _check_placeholders(self, ids: Sequence[int], parts: Sequence[Part]) -> None:
        tokens = self.tokens
        found = [token for token in ids if token in (tokens.image, tokens.video)]
        wanted = [
            tokens.video if isinstance(part, VideoPart) else tokens.image
            for part in parts
        ]
        if found == wanted:
            return
        lost = next(
            (
                index
                for index, token in enumerate(wanted)
                if index >= len(found) or found[index] != token
            ),
            len(parts) - 1,
        )
        raise MediaError(
            f"{_name(parts[lost])} (number {lost + 1} of {len(parts)}) did not reach "
            f"the prompt: the checkpoint's chat template made {len(found)} places for "
            "media. Put it into a user message, or fetch the template again"
        )

    def _read(
        self, parts: Sequence[Part], should_stop: Callable[[], bool] | None
    ) -> Iterator[_Medium]:
        for part in parts:
            if should_stop is not None and should_stop():
                raise Cancelled("stopped while reading pictures")
            match part:
                case ImagePart():
                    image = load_image(part.source)
                    yield self._still(image, "image", _name(part), part.max_pixels)
                case VideoPart():
                    yield self._video(part, should_stop)
                case DocumentPart():
                    yield from self._pages(part, should_stop)

    def _still(
        self, image: Image, kind: MediaKind, name: str, max_pixels: int | None
    ) -> _Medium:
        patches = self.image_processor(image, max_pixels=max_pixels)
        return _Medium(MediaItem(kind, name, *image.size), (patches,), None)

    def _video(
        self, part: VideoPart, should_stop: Callable[[], bool] | None
    ) -> _Medium:
        video = self.video_processor(
            part.source,
            times=part.times,
            fps=part.fps,
            max_pixels=part.max_pixels,
            should_stop=should_stop,
        )
        return _Medium(
            MediaItem("video", _name(part), video.width, video.height),
            video.pairs,
            tuple(self.video_processor.time_text(second) for second in video.seconds),
        )

    def _pages(
        self, part: DocumentPart, should_stop: Callable[[], bool] | None
    ) -> Iterator[_Medium]:
        from mlx_glm45v.media.documents import read_pages

        pages = read_pages(
            part.source, pages=part.pages, dpi=part.dpi, should_stop=should_stop
        )
        for number, image in enumerate(pages, start=1):
            page = part.pages[number - 1] if part.pages else number
            name = f"{_name(part)}, page {page}"
            yield self._still(image, "page", name, part.max_pixels)

    def _assemble(
        self, template_ids: Sequence[int], media: Sequence[_Medium]
    ) -> Prompt:
        ids: list[int] = []
        spans: list[MediaSpan] = []
        waiting = iter(enumerate(media))

        def place(item: int, patches: Patches) -> None:
            _, height, width = patches.grid_thw
            start = len(ids)
            merge = self.image_processor.merge_size
            ids.extend([self.tokens.image] * (height * width // merge**2))
            spans.append(
                MediaSpan(
                    start=start,
                    stop=len(ids),
                    digest=patches.digest,
                    pixel_values=patches.pixel_values,
                    grid_thw=patches.grid_thw,
                    item=item,
                )
            )

        for token in template_ids:
            if token not in (self.tokens.image, self.tokens.video):
                ids.append(token)
                continue
            item, medium = next(waiting)
            if medium.time_texts is None:
                place(item, medium.frames[0])
                continue
            # The image token is used inside videos too; only the template's own
            # placeholder is a video token.
            for frame, seconds in zip(medium.frames, medium.time_texts, strict=True):
                ids.append(self.tokens.begin_of_image)
                place(item, frame)
                ids.append(self.tokens.end_of_image)
                ids.extend(self.tokenizer.encode(seconds))
        positions, delta = rope_positions(
            len(ids),
            [PlaceholderRun(span.start, span.stop, span.grid_thw) for span in spans],
            merge_size=self.image_processor.merge_size,
        )
        return Prompt(
            token_ids=np.array(ids, dtype=np.int32),
            positions=positions,
            rope_delta=delta,
            spans=tuple(spans),
            items=tuple(medium.item for medium in media),
            open_thinking=self._ends_in_thinking(ids),
        )

    def _ends_in_thinking(self, ids: Sequence[int]) -> bool:
        for token in reversed(ids):
            if token == self.tokens.begin_of_thinking:
                return True
            if token in (self.tokens.end_of_thinking, self.tokens.assistant):
                return False
        return False


def _media_parts(messages: Sequence[Message]) -> list[Part]:
    return [
        part
        for message in messages
        for part in message.parts
        if not isinstance(part, TextPart)
    ]


def _with_pages_as_images(message: Message) -> Message:
    """The message as a template sees it: a document is a row of pictures."""
    if not any(isinstance(part, DocumentPart) for part in message.parts):
        return message
    from mlx_glm45v.media.documents import page_count

    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, DocumentPart):
            count = len(part.pages) if part.pages else page_count(part.source)
            parts.extend([ImagePart(part.source)] * count)
        else:
            parts.append(part)
    return replace(message, parts=parts)


def _name(part: Part) -> str:
    return "" if isinstance(part, TextPart) else source_name(part.source)


def _media_tokens(
    config: Mapping[str, Any], tokenizer: Tokenizer, folder: Path
) -> MediaTokens:
    def named(token: str) -> int:
        found = tokenizer.id_of(token)
        if found is None:
            raise CheckpointError(
                f"{folder / 'tokenizer.json'} has no token {token}; it belongs to "
                "another model"
            )
        return found

    def configured(key: str, token: str) -> int:
        value = config.get(key)
        return value if isinstance(value, int) else named(token)

    return MediaTokens(
        image=configured("image_token_id", "<|image|>"),
        video=configured("video_token_id", "<|video|>"),
        begin_of_image=configured("image_start_token_id", "<|begin_of_image|>"),
        end_of_image=configured("image_end_token_id", "<|end_of_image|>"),
        assistant=named("<|assistant|>"),
        begin_of_thinking=tokenizer.id_of("<think>"),
        end_of_thinking=tokenizer.id_of("</think>"),
    )


def _media_configs(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The picture and the video processor's tables, from old or new files."""
    joint = folder / "processor_config.json"
    nested = _read_json(joint) if joint.is_file() else {}
    images = nested.get("image_processor")
    if images is None:
        images = _read_json(folder / "preprocessor_config.json")
    videos = nested.get("video_processor")
    own = folder / "video_preprocessor_config.json"
    if videos is None:
        # Older checkpoints have no table of their own: the class of the picture
        # processor tells the family, whose video rule applies.
        videos = _read_json(own) if own.is_file() else _without_budget(images)
    return images, videos


def _without_budget(images: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in images.items() if key != "size"}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path} is missing; fetch the checkpoint's files again"
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} holds no table")
    return value
