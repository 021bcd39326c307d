"""The command line's words, and what they mean.

Knows argparse and nothing heavy, so that `--help` answers at once. Does not open files
or load models.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from mlx_glm45v.cli.argument_types import (
    natural_integer,
    natural_number,
    pages,
    positive_integer,
    positive_number,
    seed,
    share,
    share_above_0,
    size,
)
from mlx_glm45v.messages import DocumentPart, ImagePart, Part, VideoPart

_EPILOG = """\
examples:
  python -m mlx_glm45v.generate "What is in the picture?" --image photo.jpg
  python -m mlx_glm45v.generate --video clip.mp4 --no-thinking
  python -m mlx_glm45v.generate --model mlx-community/GLM-4.5V-4bit --chat
  python -m mlx_glm45v.generate --batch questions.jsonl --output answers.jsonl

The answer goes to standard output; thinking, progress and statistics to standard error.
Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.
"""


class _AppendMedium(argparse.Action):
    """Collects --image, --video and --document in one list, in the order given."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        namespace.media = [*namespace.media, (self.dest, values)]


def build_parser() -> argparse.ArgumentParser:
    """The parser of `python -m mlx_glm45v.generate`."""
    parser = argparse.ArgumentParser(
        prog="python -m mlx_glm45v.generate",
        description="Ask GLM-4.5V about pictures, videos and documents.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(media=[])
    parser.add_argument(
        "question",
        nargs="?",
        metavar="PROMPT",
        help="what to ask ('-': standard input)",
    )
    parser.add_argument("--prompt", "-p", help="the same as PROMPT")
    parser.add_argument(
        "--model",
        default="demo",
        help="a checkpoint's folder, a Hugging Face repo id, or 'demo' (default)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="load the model even where this machine lacks the memory for it",
    )
    _add_media(parser)
    _add_generation(parser)
    _add_memory(parser)
    _add_output(parser)
    _add_batch(parser)
    return parser


def _add_media(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "what the question is about (repeatable, in order)"
    )
    for kind, what in (
        ("image", "a picture: file or URL"),
        ("video", "a video file"),
        ("document", "a PDF file"),
    ):
        group.add_argument(f"--{kind}", action=_AppendMedium, metavar="PATH", help=what)
    group.add_argument(
        "--pages", type=pages, help="pages of every document, such as 1-3,7"
    )
    group.add_argument(
        "--fps", type=positive_number, help="frames a second taken from videos"
    )
    group.add_argument(
        "--max-pixels",
        type=positive_integer,
        help="most pixels of a picture (or of all frames of a video) after resizing",
    )


def _add_generation(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "how to answer",
        "The defaults are the checkpoint's own. Naming one of --temp, --top-p, --top-k "
        "and --min-p replaces all four.",
    )
    group.add_argument("--system", help="a system message")
    group.add_argument(
        "--thinking",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="think before answering, or do not",
    )
    group.add_argument(
        "--thinking-budget",
        type=natural_integer,
        metavar="N",
        help="close thinking after N tokens and answer",
    )
    group.add_argument(
        "--max-tokens", "-m", type=positive_integer, help="most tokens to generate"
    )
    group.add_argument("--temp", type=natural_number, help="temperature (0: greedy)")
    group.add_argument("--top-p", type=share_above_0)
    group.add_argument("--top-k", type=natural_integer)
    group.add_argument("--min-p", type=share)
    group.add_argument("--repetition-penalty", type=positive_number)
    group.add_argument("--seed", type=seed)
    group.add_argument(
        "--repetition-run",
        type=natural_integer,
        metavar="N",
        help="end an answer that repeats itself over N tokens (default 256; 0: never)",
    )


def _add_memory(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how much memory is taken")
    group.add_argument(
        "--expert-memory",
        type=size,
        metavar="SIZE",
        help="hold so much of the experts, such as 12GB, and read the others from the "
        "files when they are chosen (default: all, or what there is room for)",
    )
    group.add_argument(
        "--expert-profile",
        metavar="FILE",
        help="note in this file which experts are chosen, and the next time keep those "
        "for longer",
    )
    group.add_argument(
        "--kv-bits",
        type=int,
        choices=(4, 8),
        help="keep keys and values at so many bits",
    )
    group.add_argument(
        "--quantized-kv-start",
        type=natural_integer,
        default=0,
        metavar="N",
        help="keep them whole until the conversation has N tokens",
    )
    group.add_argument(
        "--max-kv-size",
        type=positive_integer,
        metavar="N",
        help="most tokens of prompt and answer together; nothing is ever dropped",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to do with the answer")
    group.add_argument(
        "--chat", action="store_true", help="talk on: /help lists commands"
    )
    group.add_argument(
        "--json",
        action="store_true",
        help="print one JSON document: answer, thinking, boxes, usage",
    )
    group.add_argument(
        "--draw-boxes",
        metavar="OUT.png",
        help="save the picture with the answer's boxes drawn on it",
    )
    group.add_argument("--stats", action="store_true", help="print tokens and seconds")


def _add_batch(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "many questions",
        "Each line of FILE is a JSON object with prompt, images, videos, documents\n"
        "(lists of addresses, or paths from FILE's folder on), id, system, thinking.\n"
        "The same command again goes on after a stop and asks again what failed.",
    )
    group.add_argument("--batch", metavar="FILE.jsonl", help="ask every line of a file")
    group.add_argument(
        "--output",
        metavar="OUT.jsonl",
        help="where answers go (default: standard output, where no run can go on)",
    )
    group.add_argument(
        "--batch-size",
        type=positive_integer,
        default=8,
        metavar="N",
        help="answer so many lines together (default 8); memory grows with it",
    )


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the arguments; `question` and `prompt` end up in `question`.

    Raises:
        SystemExit: with status 2 when the words do not fit together.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.question is not None and arguments.prompt is not None:
        parser.error("give the prompt once: as PROMPT or with --prompt")
    if arguments.prompt is not None:
        arguments.question = arguments.prompt
    if arguments.batch is not None:
        _check_batch(parser, arguments)
        return arguments
    if arguments.output is not None:
        parser.error("--output takes the answers of --batch")
    if arguments.chat and arguments.json:
        parser.error("--json prints one document and cannot be used with --chat")
    if not arguments.chat and arguments.question is None and not arguments.media:
        parser.error("nothing to ask: give a PROMPT, --image, --video or --chat")
    if arguments.question is not None and not arguments.question.strip():
        parser.error("the prompt is empty")
    return arguments


def _check_batch(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace
) -> None:
    asked = arguments.question is not None or arguments.media
    for given, name, why in (
        (asked, "a question", "its lines are the questions"),
        (arguments.chat, "--chat", "nobody is asked"),
        (arguments.json, "--json", "it writes JSON lines anyway"),
        (arguments.stats, "--stats", "each line's usage says as much"),
        (arguments.draw_boxes, "--draw-boxes", "that is one picture"),
        (
            arguments.quantized_kv_start,
            "--quantized-kv-start",
            "its rows are quantised or not together",
        ),
    ):
        if given:
            parser.error(f"{name} cannot be used with --batch: {why}")


def media_part(kind: str, source: str, arguments: argparse.Namespace) -> Part:
    """The message part for one --image, --video or --document."""
    if kind == "image":
        return ImagePart(source, max_pixels=arguments.max_pixels)
    if kind == "video":
        return VideoPart(source, fps=arguments.fps, max_pixels=arguments.max_pixels)
    return DocumentPart(source, pages=arguments.pages, max_pixels=arguments.max_pixels)


def default_question(parts: Sequence[Part]) -> str:
    """What to ask about media that came without words."""
    if any(isinstance(part, VideoPart) for part in parts):
        return "Describe this video."
    if any(isinstance(part, DocumentPart) for part in parts):
        return "Describe this document."
    return "Describe this image." if len(parts) == 1 else "Describe these images."
