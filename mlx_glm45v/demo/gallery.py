"""A walk through what the demo knows: files, questions about them, its answers.

Knows the demo's files, the library's public names and a terminal. Does not know how
answers come about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlx_glm45v import (
    ChatSession,
    GenerationCache,
    ImagePart,
    Message,
    Reply,
    TextPart,
    VideoPart,
    load,
)
from mlx_glm45v.cli.drawing import save_boxes
from mlx_glm45v.cli.interrupts import asks_first
from mlx_glm45v.cli.terminal import Terminal

MEDIA = Path(__file__).parent / "media"


@dataclass(frozen=True)
class Exhibit:
    """Files of `MEDIA`, and what is asked about them, one turn after the other."""

    pictures: tuple[str, ...]
    videos: tuple[str, ...]
    questions: tuple[str, ...]

    def messages(self) -> Iterator[Message]:
        """The questions; the first comes with the files."""
        shown: list[ImagePart | VideoPart] = [
            *(ImagePart(MEDIA / name) for name in self.pictures),
            *(VideoPart(MEDIA / name) for name in self.videos),
        ]
        for question in self.questions:
            yield Message("user", [*shown, TextPart(question)])
            shown = []


EXHIBITS = (
    Exhibit(("example.png",), (), ("Describe the picture.",)),
    Exhibit(("example.png", "changed.png"), (), ("What changed?",)),
    Exhibit((), ("example.mp4",), ("Which way does the shape move?",)),
    Exhibit((), ("appears.mp4",), ("When does the star appear?",)),
    Exhibit(("page.png",), (), ("Read the text.",)),
    Exhibit(("example.png",), (), ("Where is the star?",)),
    Exhibit(("example.png",), (), ("What colour is the circle?", "Where is it?")),
    Exhibit(
        ("example.png",),
        ("example.mp4",),
        ("Does the picture show what moves in the video?",),
    ),
)


def show_gallery(
    terminal: Terminal, drawings: Path, exhibits: Sequence[Exhibit] = EXHIBITS
) -> None:
    """Asks the demo about each exhibit; drawn boxes become files in `drawings`.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the answer under way is ended before.
    """
    model, processor = load("demo", progress=terminal.loading)
    thought = "its thought (dimmed)" if terminal.lively else "its thought"
    terminal.note(
        f"Using the demo, a tiny GLM-4.5V. Below each question stand {thought} and its "
        f"answer.\nThe files are in {MEDIA}"
    )
    # Several questions are about the same picture, which is looked at once.
    cache = GenerationCache(model)
    drawn = 0
    for exhibit in exhibits:
        session = ChatSession(model, processor, cache=cache)
        for message in exhibit.messages():
            terminal.note(f"\n{_shown(message)}\n> {message.text}")
            reply = _answered(session, message, terminal)
            if reply.boxes:
                drawn += 1
                target = drawings / f"box-{drawn}.png"
                for line in save_boxes(session.messages, reply, target):
                    terminal.note(line)


def _shown(message: Message) -> str:
    """The names of a question's files."""
    names = [
        part.source.name
        for part in message.parts
        if isinstance(part, ImagePart | VideoPart)
    ]
    return ", ".join(names) or "the same conversation"


def _answered(session: ChatSession, message: Message, terminal: Terminal) -> Reply:
    with asks_first(session.stop) as interrupted:
        for event in session.send(message):
            terminal.show(event)
    if interrupted():
        raise KeyboardInterrupt
    reply = session.reply
    assert reply is not None  # send() ends with a reply or an error
    return reply
