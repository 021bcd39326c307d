"""The tags a checkpoint writes between its words.

Knows which tags there are and their ids. Does not know how text is cut at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

# Role and media marks that models of the family know as single tokens. They never
# belong to an answer; which of them exist is for the checkpoint's tokenizer to say.
_MARKS = (
    "<|endoftext|>",
    "[MASK]",
    "[gMASK]",
    "[sMASK]",
    "<sop>",
    "<eop>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|observation|>",
    "<|begin_of_image|>",
    "<|end_of_image|>",
    "<|begin_of_video|>",
    "<|end_of_video|>",
    "<|begin_of_audio|>",
    "<|end_of_audio|>",
    "<|image|>",
    "<|video|>",
)


class Vocabulary(Protocol):
    """What is asked of a tokenizer here."""

    def encode(self, text: str) -> list[int]: ...

    def id_of(self, token: str) -> int | None: ...


@dataclass(frozen=True)
class Markers:
    """Tags of thinking, boxed answers, tool calls and answers, and marks to drop.

    `close_ids` are the tokens that end thinking by force: a newline and the closing
    tag; empty where the checkpoint cannot think. A pair that is None does not exist.

    Raises:
        ValueError: one tag begins with another, so a cut would depend on chance.
    """

    thinking: tuple[str, str] | None = ("<think>", "</think>")
    box: tuple[str, str] | None = ("<|begin_of_box|>", "<|end_of_box|>")
    tool: tuple[str, str] | None = ("<tool_call>", "</tool_call>")
    answer: tuple[str, str] | None = None
    hidden: tuple[str, ...] = _MARKS
    close_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        tags = self.tags
        for tag in tags:
            for other in tags:
                if not tag or (tag is not other and other.startswith(tag)):
                    raise ValueError(f"the marker {other!r} begins with {tag!r}")

    @property
    def tags(self) -> tuple[str, ...]:
        """Every tag and mark once."""
        pairs = (self.thinking, self.box, self.tool, self.answer)
        structural = [tag for pair in pairs if pair is not None for tag in pair]
        return tuple(dict.fromkeys([*structural, *self.hidden]))

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Markers:
        """The markers that `vocabulary` has as single tokens.

        Ids of one number mean different things in different checkpoints of the family,
        so every id is asked for by name.
        """

        def pair(opening: str, closing: str) -> tuple[str, str] | None:
            known = (vocabulary.id_of(opening), vocabulary.id_of(closing))
            return None if None in known else (opening, closing)

        thinking = pair("<think>", "</think>")
        close = vocabulary.id_of("</think>")
        close_ids = () if close is None else (*vocabulary.encode("\n"), close)
        return cls(
            thinking=thinking,
            box=pair("<|begin_of_box|>", "<|end_of_box|>"),
            tool=pair("<tool_call>", "</tool_call>"),
            answer=pair("<answer>", "</answer>"),
            hidden=tuple(mark for mark in _MARKS if vocabulary.id_of(mark) is not None),
            close_ids=close_ids if thinking is not None else (),
        )
