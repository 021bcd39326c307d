"""The command line: `python -m mlx_glm45v.generate`.

Knows exit statuses and the order of a run. What is heavy is imported where it is used,
so that `--help` and wrong usage answer at once.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_glm45v.cli.arguments import default_question, media_part, parse
from mlx_glm45v.cli.statuses import FAILED, INTERRUPTED, error_line, leave_output
from mlx_glm45v.errors import NotEnoughMemory
from mlx_glm45v.messages import Message, Part, TextPart

if TYPE_CHECKING:
    from mlx_glm45v.chat import ChatSession
    from mlx_glm45v.cli.terminal import Terminal
    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
    from mlx_glm45v.processing.processor import Processor
    from mlx_glm45v.replies import Reply


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status.

    Raises:
        SystemExit: with status 2 for wrong usage, 0 after --help.
    """
    arguments = parse(argv)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return leave_output()
    except Exception as error:
        return _report(error)


def _report(error: Exception) -> int:
    line = error_line(error)
    if isinstance(error, NotEnoughMemory):
        line = f"error: {error}"  # the sum is a table
    print(line, file=sys.stderr)
    return FAILED


def _run(arguments: Namespace) -> int:
    if arguments.batch is not None:
        from mlx_glm45v.cli.batch import run_batch

        return run_batch(arguments)
    first = _first_message(arguments)
    from mlx_glm45v.cli.preparing import experts_noted, loaded
    from mlx_glm45v.cli.terminal import Terminal

    terminal = Terminal(show_answer=not arguments.json)
    model, processor = loaded(arguments, terminal)
    session = _session(model, processor, arguments)
    with experts_noted(model, arguments, terminal):
        if arguments.chat:
            from mlx_glm45v.cli.interactive import Conversation

            Conversation(
                session,
                terminal,
                arguments,
                on_reply=lambda reply: _after(session, reply, arguments, terminal),
            ).run(first)
            return 0
        assert first is not None  # parse() refuses a run without anything to ask
        return _ask_once(session, first, arguments, terminal)


def _first_message(arguments: Namespace) -> Message | None:
    """The question on the command line, with its media before the words.

    Raises:
        MediaError: a file is missing; found before a large model is loaded.
    """
    parts: list[Part] = [
        media_part(kind, source, arguments) for kind, source in arguments.media
    ]
    question = arguments.question
    if question == "-":
        question = sys.stdin.read().strip()
        if not question and not parts:
            raise ValueError("standard input holds no prompt; write one, or use --chat")
    if not question and not parts:
        return None
    if parts:
        from mlx_glm45v.media.sources import open_source

        for _, source in arguments.media:
            if "://" not in source:
                open_source(source).__exit__(None, None, None)
    return Message("user", [*parts, TextPart(question or default_question(parts))])


def _session(
    model: Glm4vMoeForConditionalGeneration,
    processor: Processor,
    arguments: Namespace,
) -> ChatSession:
    from mlx_glm45v.chat import ChatSession
    from mlx_glm45v.cli.preparing import chat_options

    return ChatSession(
        model,
        processor,
        system=arguments.system,
        options=chat_options(arguments, processor.generation_config),
    )


def _ask_once(
    session: ChatSession, message: Message, arguments: Namespace, terminal: Terminal
) -> int:
    from mlx_glm45v.cli.interrupts import asks_first

    with asks_first(session.stop) as interrupted:
        for event in session.send(message):
            terminal.show(event)
    reply = session.reply
    assert reply is not None  # send() ends with a reply or an error
    if arguments.json:
        from mlx_glm45v.cli.saving import reply_as_json

        print(reply_as_json(reply, model=arguments.model))
    _after(session, reply, arguments, terminal)
    return INTERRUPTED if interrupted() else 0


def _after(
    session: ChatSession, reply: Reply, arguments: Namespace, terminal: Terminal
) -> None:
    if arguments.stats:
        terminal.stats(reply.usage)
    if arguments.draw_boxes:
        from mlx_glm45v.cli.drawing import save_boxes

        for line in save_boxes(session.messages, reply, Path(arguments.draw_boxes)):
            terminal.note(line)


if __name__ == "__main__":
    sys.exit(main())
