"""Answers of a checkpoint folder through transformers, greedily, in batches.

Knows how samples become transformers' inputs. Does not know what is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from demo_training.held_out import Answer, Question
from demo_training.samples import Media, Writer, clip_media, still_media
from tokenizers import Tokenizer
from transformers import Glm4vMoeForConditionalGeneration

from mlx_glm45v.demo.scenes import Scene


def parted(said: str) -> Answer:
    """Split what the model said at its thinking tags."""
    said = said.split("<|user|>")[0].split("<|endoftext|>")[0]
    if "<think>" not in said:
        return Answer(None, said.strip())
    thought, _, text = said.partition("</think>")
    return Answer(thought.removeprefix("<think>"), text.strip())


def media_of(question: Question) -> Media | None:
    """The question's picture or video as patches."""
    if question.shown is None:
        return None
    if isinstance(question.shown, Scene):
        return still_media(question.random, question.shown)
    return clip_media(question.random, question.shown)


class Answerer:
    """A checkpoint folder in transformers, float32."""

    def __init__(self, folder: Path) -> None:
        self.model = Glm4vMoeForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32
        ).eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.writer = Writer(self.tokenizer)

    def prompt(self, media: Media | None, question: str, *, thinking: bool) -> str:
        """The conversation up to where the model speaks."""
        shown = self.writer.media_text(media) if media else ""
        asked = f"[gMASK]<sop><|user|>\n{shown}{question}"
        if thinking:
            return f"{asked}<|assistant|>\n"
        return f"{asked}/nothink<|assistant|>\n<think></think>\n"

    @torch.no_grad()
    def answer(
        self, questions: Sequence[Question], *, thinking: bool, limit: int = 96
    ) -> list[Answer]:
        """Answers to the questions, which all show media of one sort, or none."""
        media = [media_of(question) for question in questions]
        rows = [
            self.tokenizer.encode(
                self.prompt(shown, question.exchange.question, thinking=thinking)
            ).ids
            for shown, question in zip(media, questions, strict=True)
        ]
        length = max(map(len, rows))
        pad = self.model.config.text_config.pad_token_id
        ids = torch.tensor([[pad] * (length - len(row)) + row for row in rows])
        mask = torch.tensor(
            [[0] * (length - len(row)) + [1] * len(row) for row in rows]
        )
        inputs: dict[str, torch.Tensor] = {"input_ids": ids, "attention_mask": mask}
        shown = [one for one in media if one is not None]
        if shown:
            is_clip = shown[0].seconds is not None
            pixels = np.concatenate([pair for one in shown for pair in one.pairs])
            grids = torch.tensor([(len(one.pairs), *one.grid) for one in shown])
            names = (
                ("pixel_values_videos", "video_grid_thw")
                if is_clip
                else ("pixel_values", "image_grid_thw")
            )
            inputs |= dict(zip(names, (torch.from_numpy(pixels), grids), strict=True))
            placeholders = (ids == self.writer.image_id).int()
            inputs["mm_token_type_ids"] = placeholders * (2 if is_clip else 1)
        told = self.model.generate(**inputs, max_new_tokens=limit, do_sample=False)
        return [
            parted(self.tokenizer.decode(row.tolist(), skip_special_tokens=False))
            for row in told[:, length:]
        ]
