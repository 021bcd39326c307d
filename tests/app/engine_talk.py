"""Questions for the demo in its process, and an ear for the client's signals."""

from __future__ import annotations

from pathlib import Path

import mlx_glm45v
from app.engine.client import EngineClient
from app.engine.protocol import Ask, Medium, Message, Options, Words

MEDIA = Path(mlx_glm45v.__file__).parent / "demo" / "media"
# Off the demo's track: it answers this as long as it may.
ENDLESS = "so " * 200
LONG = "x y " * 1500


def picture(path: Path = MEDIA / "example.png", name: str = "shapes.png") -> Medium:
    return Medium("image", str(path), name)


def user(words: str, *media: Medium) -> Message:
    return Message("user", (*media, Words(words)))


def model(words: str, thinking: str | None = None) -> Message:
    return Message("assistant", (Words(words),), thinking)


def question(
    number: int,
    *messages: Message,
    thinking: bool = False,
    max_tokens: int = 4000,
    budget: int | None = None,
    go_on: bool = False,
) -> Ask:
    options = Options(thinking=thinking, max_tokens=max_tokens, thinking_budget=budget)
    return Ask(number, messages, options, continue_reply=go_on)


class Heard:
    """Everything that a client said."""

    def __init__(self, client: EngineClient) -> None:
        self.states: list = []
        self.progress: list = []
        self.texts: list = []
        self.finished: list = []
        self.failed: list = []
        client.state_changed.connect(self.states.append)
        client.progressed.connect(self.progress.append)
        client.text.connect(self.texts.append)
        client.finished.connect(self.finished.append)
        client.failed.connect(self.failed.append)

    @property
    def over(self) -> bool:
        return bool(self.finished or self.failed)

    def words(self, channel: str = "answer") -> str:
        return "".join(each.text for each in self.texts if each.channel == channel)

    def forget(self) -> None:
        for heard in vars(self).values():
            heard.clear()
