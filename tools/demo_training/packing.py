"""Several conversations about the same media in one row of tokens.

The media are encoded once; each conversation sees them and itself only. Knows how a
conversation is written (as the chat template does, checked by a test), which of its
tokens the model has to say, and positions. Does not know torch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from demo_training.naming import mentions_of
from demo_training.showing import STILLS, Media
from tokenizers import Tokenizer

from mlx_glm45v.demo.questions import Exchange
from mlx_glm45v.processing.positions import PlaceholderRun, rope_positions

IT = re.compile(r"\bit\b")
BOX_TAG, BOX_END = "<|begin_of_box|>", "<|end_of_box|>"


def without_tags(answer: str) -> str:
    """The answer as it stands in later turns: its box without tags."""
    return answer.replace(BOX_TAG, "").replace(BOX_END, "")


@dataclass(frozen=True)
class Branch:
    """A conversation about the row's media."""

    turns: tuple[Exchange, ...]
    thinking: bool


@dataclass(frozen=True)
class Row:
    """ids, targets, branches (L,), positions (3, L), marks (K, 7), names (N, 3), media,
    answers (A, 3), asked (Q, 2).

    `targets` holds the next id or -100, `branches` 0 for the shared start and then the
    number of the conversation. A mark is its token's index and what is there by then; a
    name its token's index, shape and colour (see `naming`). The tokens of an answer and
    those that name figures in its question share a number, behind their index; behind
    the answer's stands the topic too.
    """

    ids: np.ndarray
    targets: np.ndarray
    branches: np.ndarray
    positions: np.ndarray
    marks: np.ndarray
    names: np.ndarray
    answers: np.ndarray
    asked: np.ndarray
    media: tuple[Media, ...]


NAMES, CHANGE, SAME = range(3)


def topic_of(question: str) -> int:
    """What an answer has to look at: named figures, a change, or the same elsewhere."""
    if any(word in question for word in ("changed", "different", "difference")):
        return CHANGE
    if any(word in question for word in ("same shape", "of the video", "show what")):
        return SAME
    return NAMES


class Packer:
    """Writes rows with the checkpoint's tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.image_id = self._plain("<|image|>")[0]
        self.encode = lru_cache(maxsize=100_000)(self._encode)

    def _plain(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _encode(
        self, text: str
    ) -> tuple[tuple[int, ...], tuple[tuple[int, int, int], ...]]:
        """Ids, and the tokens (index, shape, colour) that name figures."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        named = [
            (encoding.char_to_token(mention.end), mention.shape, mention.colour)
            for mention in mentions_of(text)
        ]
        return tuple(encoding.ids), tuple(
            (token, shape, colour)
            for token, shape, colour in named
            if token is not None
        )

    def media_text(self, media: Media) -> str:
        """Placeholders between their tags; a video's pairs carry their seconds."""
        tokens = "<|image|>" * (media.grid[0] * media.grid[1] // 4)
        image = f"<|begin_of_image|>{tokens}<|end_of_image|>"
        if media.seconds is None:
            return image
        pairs = "".join(f"{image}{second}" for second in media.seconds)
        return f"<|begin_of_video|>{pairs}<|end_of_video|>"

    def start(
        self,
        media: Sequence[Media],
        *,
        system: str | None = None,
        earlier: Exchange | None = None,
    ) -> str:
        """The conversation up to and with its media.

        With `earlier` the first medium has a turn of its own before the others.
        """
        told = f"<|system|>\n{system}" if system else ""
        if earlier:
            first, *media = media
            told += (
                f"<|user|>\n{self.media_text(first)}{earlier.question}/nothink"
                f"<|assistant|>\n<think></think>\n{earlier.answer}"
            )
        shown = "".join(self.media_text(one) for one in media)
        return f"[gMASK]<sop>{told}<|user|>\n{shown}"

    @staticmethod
    def pieces(branch: Branch) -> list[tuple[str, bool]]:
        """The rest of the conversation; True where the model speaks."""
        told: list[tuple[str, bool]] = []
        switch = "" if branch.thinking else "/nothink"
        for index, turn in enumerate(branch.turns):
            lead = "\n" if index else ""
            told.append((f"{lead}{turn.question}{switch}<|assistant|>\n", False))
            if branch.thinking and index == len(branch.turns) - 1:
                told.append((f"<think>{turn.thought}</think>\n", True))
            else:
                told.append(("<think></think>\n", False))
            if index < len(branch.turns) - 1 and BOX_TAG in turn.answer:
                # Past answers come without tags, so nothing is learned from them.
                told.append((f"{without_tags(turn.answer)}<|user|>", False))
            else:
                told.append((f"{turn.answer}<|user|>", True))
        return told

    def row(
        self,
        media: Sequence[Media],
        branches: Sequence[Branch],
        *,
        system: str | None = None,
        earlier: Exchange | None = None,
    ) -> Row:
        """All conversations behind their common start."""
        text = self.start(media, system=system, earlier=earlier)
        start = np.array(self._plain(text), np.int64)
        runs = self._runs(start, media)
        shared, _ = rope_positions(len(start), runs, merge_size=STILLS.merge_size)
        ids, targets = [start], [np.full(len(start), -100, np.int64)]
        numbers, positions = [np.zeros(len(start), np.int64)], [shared]
        follows = int(shared[0, -1]) + 1  # the last token is text
        names: list[tuple[int, int, int]] = []
        answers: list[tuple[int, int, int]] = []
        asked: list[tuple[int, int]] = []
        length = len(start)
        for number, branch in enumerate(branches, 1):
            told: list[int] = []
            spoken: list[bool] = []
            turn, topic = 0, NAMES
            about: list[int] = []  # the tokens that the question names figures with
            for text, is_spoken in self.pieces(branch):
                new, named = self.encode(text)
                at = length + len(told)
                names += [(at + token, *kind) for token, *kind in named]
                if "<|assistant|>" in text:
                    turn = len(asked) + len(answers) + 1
                    here = [at + token for token, *_ in named]
                    if here or not IT.search(text):
                        about = here
                    asked += [(token, turn) for token in about]
                    topic = topic_of(text)
                if "<|user|>" in text:
                    # From the token before the answer on, which says its first word.
                    answers += [(at - 1 + i, turn, topic) for i in range(len(new))]
                told += new
                spoken += [is_spoken] * len(new)
            own = np.array(told, np.int64)
            wanted = np.full(len(own), -100, np.int64)
            says = np.array(spoken[1:])
            wanted[:-1][says] = own[1:][says]
            ids.append(own)
            length += len(own)
            targets.append(wanted)
            numbers.append(np.full(len(own), number, np.int64))
            positions.append(
                np.broadcast_to(np.arange(follows, follows + len(own)), (3, len(own)))
            )
        return Row(
            np.concatenate(ids),
            np.concatenate(targets),
            np.concatenate(numbers),
            np.concatenate(positions, axis=1),
            self._marks(start, media),
            np.array(names, np.int64).reshape(-1, 3),
            np.array(answers, np.int64).reshape(-1, 3),
            np.array(asked, np.int64).reshape(-1, 2),
            tuple(media),
        )

    def _runs(self, start: np.ndarray, media: Sequence[Media]) -> list[PlaceholderRun]:
        places = np.flatnonzero(start == self.image_id).tolist()
        runs, used = [], 0
        for one in media:
            tokens = one.grid[0] * one.grid[1] // STILLS.merge_size**2
            for _ in one.pairs:
                grid = (1, *one.grid)
                runs.append(PlaceholderRun(places[used], places[used] + tokens, grid))
                used += tokens
        return runs

    def _marks(self, start: np.ndarray, media: Sequence[Media]) -> np.ndarray:
        ends = np.flatnonzero(
            (start[:-1] == self.image_id) & (start[1:] != self.image_id)
        )
        told, used = [], 0
        for one in media:
            count = len(one.pairs)
            if one.marks is not None:
                # The time text stands behind the closing tag of its pair.
                at = ends[used : used + count, None] + 2
                told.append(np.hstack([at, one.marks]))
            used += count
        return np.concatenate(told) if told else np.zeros((0, 7), np.float32)
