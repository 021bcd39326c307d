"""Messages to a `Prompt`: the room where words, pictures and positions meet.

Knows the order of parts and that every picture must arrive. Does not know mlx, and
opens files only through `media`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlx_glm45v.errors import MediaError, PromptTooLong
from mlx_glm45v.messages import Message, Part, VideoPart
from mlx_glm45v.processing.chat_template import ChatTemplate, unfence
from mlx_glm45v.processing.checkpoint_files import (
    MediaTokens,
    media_configs,
    media_tokens,
    read_json,
)
from mlx_glm45v.processing.image_processor import ImageProcessor, Patches
from mlx_glm45v.processing.media_memory import MediaMemory
from mlx_glm45v.processing.media_reader import (
    MediaReader,
    Medium,
    media_parts,
    name_of,
    with_documents_fetched,
    with_pages_as_images,
)
from mlx_glm45v.processing.positions import PlaceholderRun, rope_positions
from mlx_glm45v.processing.prompt import MediaSpan, Prompt
from mlx_glm45v.processing.tokenizer import Tokenizer
from mlx_glm45v.processing.video_processor import VideoProcessor


class Processor:
    """Turns a conversation into what the model reads.

    `generation_config` is the checkpoint's own table of sampling defaults and end ids.
    The files read last are remembered (256 MB), so that a second question about them
    does not read them again.
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
        self._memory = MediaMemory()

    @classmethod
    def from_folder(cls, folder: Path) -> Processor:
        """Reads everything but the weights from a checkpoint's folder.

        Raises:
            CheckpointError: a file is missing or not understood.
        """
        folder = Path(folder)
        config = read_json(folder / "config.json")
        tokenizer = Tokenizer.from_folder(folder)
        images, videos = media_configs(folder)
        generation = folder / "generation_config.json"
        return cls(
            tokenizer=tokenizer,
            template=ChatTemplate.from_folder(folder),
            image_processor=ImageProcessor.from_dict(images),
            video_processor=VideoProcessor.from_dict(videos),
            tokens=media_tokens(config, tokenizer, folder),
            generation_config=read_json(generation) if generation.is_file() else {},
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
        context_length: int | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Generator[tuple[int, int], None, Prompt]:
        """The same as `prompt`, a medium at a time.

        Yields (done, total) after each picture, video or document page; the generator's
        return value is the prompt. What cannot fit in `context_length` tokens is
        `PromptTooLong` as soon as that is certain: a thick document's patches would
        fill the memory first.
        """
        if not messages:
            raise ValueError("a prompt needs at least one message")
        messages = [with_documents_fetched(each, should_stop) for each in messages]
        shown = [with_pages_as_images(each, should_stop) for each in messages]
        text = self.template.render(
            shown,
            tools=tools,
            thinking=thinking,
            continue_final_message=continue_final_message,
        )
        template_ids = self.encode(text)
        # Before any picture is read: a template that drops one fails at once.
        places = media_parts(shown)
        self.check_placeholders(template_ids, places)
        reader = MediaReader(self.image_processor, self.video_processor, self._memory)
        media: list[Medium] = []
        length = len(template_ids)
        _check_length(length, context_length, read=0, given=len(places))
        for medium in reader.read_messages(messages, should_stop=should_stop):
            media.append(medium)
            length += self._tokens_of(medium) - 1
            _check_length(length, context_length, read=len(media), given=len(places))
            yield len(media), len(places)
        return self._assemble(template_ids, media)

    def encode(self, rendered: str) -> list[int]:
        """Token ids of a rendered template, with one placeholder for each medium."""
        ids: list[int] = []
        for piece, is_literal in unfence(rendered):
            encode = (
                self.tokenizer.encode_literally if is_literal else self.tokenizer.encode
            )
            ids.extend(encode(piece))
        return ids

    def _tokens_of(self, medium: Medium) -> int:
        """Placeholder tokens of a medium, without its markers and time texts."""
        window = self.image_processor.merge_size**2
        return sum(frame.num_patches // window for frame in medium.frames)

    def check_placeholders(self, ids: Sequence[int], parts: Sequence[Part]) -> None:
        """Raise `MediaError` unless the template gave every medium its place."""
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
            f"{name_of(parts[lost])} (number {lost + 1} of {len(parts)}) did not reach "
            f"the prompt: the checkpoint's chat template made {len(found)} places for "
            "media. Put it into a user message, or fetch the template again"
        )

    def _assemble(self, template_ids: Sequence[int], media: Sequence[Medium]) -> Prompt:
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
                    pixels=patches,
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


def _check_length(length: int, context: int | None, *, read: int, given: int) -> None:
    if context is None or length < context:
        return
    part = f", {read} of {given} pictures, videos and pages counted" if given else ""
    raise PromptTooLong(
        f"the prompt has {length} tokens or more{part}, but the model's context holds "
        f"{context}, the answer included; give fewer or smaller media or drop earlier "
        "turns"
    )
