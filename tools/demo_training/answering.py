"""Answers of a checkpoint folder through transformers, greedily, in batches.

Knows how a held-out question, turn after turn, becomes transformers' inputs. Does not
know what is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from demo_training.answer import MAX_TOKENS, Answer
from demo_training.lessons import Question
from demo_training.packing import Branch, Packer, without_tags
from demo_training.showing import Media, media_of
from tokenizers import Tokenizer
from transformers import Glm4vMoeForConditionalGeneration


def parted(said: str) -> Answer:
    """Split what the model said at its thinking tags."""
    said = without_tags(said.split("<|user|>")[0].split("<|endoftext|>")[0])
    if "<think>" not in said:
        return Answer(None, said.strip())
    thought, _, text = said.partition("</think>")
    return Answer(thought.removeprefix("<think>"), text.strip())


class Answerer:
    """A checkpoint folder in transformers, float32."""

    def __init__(self, folder: Path) -> None:
        self.model = Glm4vMoeForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32
        ).eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.packer = Packer(self.tokenizer)

    def answer(
        self, questions: Sequence[Question], *, thinking: bool, blind: bool = False
    ) -> list[Answer]:
        """Answers to the questions; with `blind` nothing is shown."""
        media = [
            [] if blind else [media_of(q.random, one) for one in q.shown]
            for q in questions
        ]
        said: list[list[str]] = [[] for _ in questions]
        answers = [Answer(None, "")] * len(questions)
        for turn in range(max(len(question.turns) for question in questions)):
            which = [i for i, q in enumerate(questions) if turn < len(q.turns)]
            prompts = [
                self.prompt(questions[i], media[i], said[i], thinking=thinking)
                for i in which
            ]
            told = self._say(prompts, [media[i] for i in which])
            for index, answer in zip(which, told, strict=True):
                answers[index] = answer
                said[index].append(answer.text)
        return answers

    def prompt(
        self,
        question: Question,
        media: Sequence[Media],
        said: Sequence[str],
        *,
        thinking: bool,
    ) -> str:
        """The conversation up to where the model speaks, after the answers `said`."""
        past = [
            replace(turn, answer=answer)
            for turn, answer in zip(question.turns, said, strict=False)
        ]
        now = question.turns[len(said)]
        told = Packer.pieces(Branch((*past, now), thinking))
        # The last pieces are what the model has to say.
        spoken = told[:-2] if thinking else told[:-1]
        earlier = question.earlier if media else None
        start = self.packer.start(media, earlier=earlier)
        return start + "".join(text for text, _ in spoken)

    @torch.no_grad()
    def _say(
        self, prompts: Sequence[str], media: Sequence[Sequence[Media]]
    ) -> list[Answer]:
        rows = [self.tokenizer.encode(prompt).ids for prompt in prompts]
        length = max(map(len, rows))
        pad = self.model.config.text_config.pad_token_id
        ids = torch.tensor([[pad] * (length - len(row)) + row for row in rows])
        mask = torch.tensor(
            [[0] * (length - len(row)) + [1] * len(row) for row in rows]
        )
        inputs: dict[str, torch.Tensor] = {"input_ids": ids, "attention_mask": mask}
        shown = [one for each in media for one in each]
        if shown:
            # transformers cannot take pictures and videos together, but a video is its
            # frame pairs with times between them, each a picture of its own.
            pairs = [pair for one in shown for pair in one.pairs]
            grids = [(1, *one.grid) for one in shown for _ in one.pairs]
            inputs |= {
                "pixel_values": torch.from_numpy(np.concatenate(pairs)),
                "image_grid_thw": torch.tensor(grids),
                "mm_token_type_ids": (ids == self.packer.image_id).int(),
            }
        told = self.model.generate(**inputs, max_new_tokens=MAX_TOKENS, do_sample=False)
        return [
            parted(self.tokenizer.decode(row.tolist(), skip_special_tokens=False))
            for row in told[:, length:]
        ]
