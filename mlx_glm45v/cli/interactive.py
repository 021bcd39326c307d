"""The talk of `--chat`: lines in, answers out, a few commands between.

Knows what a person may type. Does not know how answers are made.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from mlx_glm45v.chat import ChatSession
from mlx_glm45v.cli.arguments import default_question, media_part
from mlx_glm45v.cli.interrupts import asks_first
from mlx_glm45v.cli.saving import save_conversation
from mlx_glm45v.cli.terminal import Terminal
from mlx_glm45v.errors import Glm45vError
from mlx_glm45v.messages import Message, Part, TextPart
from mlx_glm45v.replies import Reply

HELP = """\
/image PATH, /video PATH, /document PATH   add to the next question
/thinking on|off                           think before answering, or do not
/reset                                     forget the conversation
/save FILE                                 write the conversation (.json or Markdown)
/help, /quit (or Ctrl-D)
Ctrl-C stops the answer under way."""


class Conversation:
    """One interactive conversation."""

    def __init__(
        self,
        session: ChatSession,
        terminal: Terminal,
        arguments: Namespace,
        *,
        on_reply: Callable[[Reply], None],
    ) -> None:
        self._session = session
        self._terminal = terminal
        self._arguments = arguments
        self._on_reply = on_reply
        self._waiting: list[Part] = []
        self._thinking: bool | None = arguments.thinking

    def run(self, first: Message | None = None) -> None:
        """Talks until the end of input or /quit."""
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  line editing and history for input()
        self._terminal.note("Ask, or type /help. Ctrl-D ends.")
        # Piped lines are answered without a prompt in the output.
        prompt = "> " if sys.stdin.isatty() else ""
        if first is not None:
            self._ask(first)
        while True:
            try:
                line = input(prompt).strip()
            except EOFError:
                self._terminal.note("")
                return
            except KeyboardInterrupt:
                # Half a line typed by mistake must not cost the conversation.
                self._terminal.note("\n/quit or Ctrl-D ends, /save FILE keeps the talk")
                continue
            if line == "/quit":
                return
            if line.startswith("/"):
                self._command(line)
            elif line or self._waiting:
                text = line or default_question(self._waiting)
                self._ask(Message("user", [*self._waiting, TextPart(text)]))

    def _ask(self, message: Message) -> None:
        try:
            with asks_first(self._session.stop):
                for event in self._session.send(message, thinking=self._thinking):
                    self._terminal.show(event)
            if self._session.reply is not None:
                self._on_reply(self._session.reply)
        except (Glm45vError, ValueError) as error:
            # Without a reply the conversation is as before the question.
            self._terminal.note(f"error: {error}")
        finally:
            self._waiting.clear()

    def _command(self, line: str) -> None:
        name, _, rest = line.partition(" ")
        match name, rest.strip():
            case (("/image" | "/video" | "/document"), ""):
                self._terminal.note(f"which file? {name} PATH")
            case (("/image" | "/video" | "/document"), rest):
                self._add(name[1:], rest)
            case "/thinking", ("on" | "off") as state:
                self._thinking = state == "on"
                self._terminal.note(f"thinking is {state}")
            case "/thinking", _:
                self._terminal.note("/thinking on or /thinking off")
            case "/reset", _:
                self._session.reset()
                self._waiting.clear()
                self._terminal.note("the conversation is forgotten")
            case "/save", "":
                self._terminal.note("where to? /save FILE")
            case "/save", file:
                self._save(Path(file).expanduser())
            case "/help", _:
                self._terminal.note(HELP)
            case _:
                self._terminal.note(f"there is no {name}; /help lists the commands")

    def _add(self, kind: str, written: str) -> None:
        # Terminals quote a dropped file's path; a plain one may hold spaces.
        with contextlib.suppress(ValueError):
            words = shlex.split(written)
            if len(words) == 1:
                written = words[0]
        is_address = "://" in written or written.startswith("data:")
        if not is_address and not Path(written).expanduser().is_file():
            self._terminal.note(f"there is no file {written}")
            return
        self._waiting.append(media_part(kind, written, self._arguments))
        self._terminal.note(f"{kind} {len(self._waiting)} waits for your question")

    def _save(self, path: Path) -> None:
        try:
            save_conversation(self._session.messages, path)
        except OSError as error:
            self._terminal.note(f"error: {path} cannot be written: {error.strerror}")
        else:
            self._terminal.note(f"saved {path}")
