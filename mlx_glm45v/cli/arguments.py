"""The command line's words, and what they mean.

Knows argparse and nothing heavy, so that `--help` answers at once. Does not open files
or load models.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any

from mlx_glm45v.messages import DocumentPart, ImagePart, Part, VideoPart

# What is written out as a list must be short.
_LAST_PAGE = 99_999

_EPILOG = """\
examples:
  python -m mlx_glm45v.generate "What is in the picture?" --image photo.jpg
  python -m mlx_glm45v.generate --video clip.mp4 --no-thinking
  python -m mlx_glm45v.generate --model mlx-community/GLM-4.5V-4bit --chat

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
        "--pages", type=_pages, help="pages of every document, such as 1-3,7"
    )
    group.add_argument(
        "--fps", type=_positive_number, help="frames a second taken from videos"
    )
    group.add_argument(
        "--max-pixels",
        type=_positive_integer,
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
        type=_natural_integer,
        metavar="N",
        help="close thinking after N tokens and answer",
    )
    group.add_argument(
        "--max-tokens", "-m", type=_positive_integer, help="most tokens to generate"
    )
    group.add_argument("--temp", type=_natural_number, help="temperature (0: greedy)")
    group.add_argument("--top-p", type=_share_above_0)
    group.add_argument("--top-k", type=_natural_integer)
    group.add_argument("--min-p", type=_share)
    group.add_argument("--repetition-penalty", type=_positive_number)
    group.add_argument("--seed", type=_seed)
    group.add_argument(
        "--repetition-run",
        type=_natural_integer,
        metavar="N",
        help="end an answer that repeats itself over N tokens (default 256; 0: never)",
    )


def _add_memory(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how much memory a conversation takes")
    group.add_argument(
        "--kv-bits",
        type=int,
        choices=(4, 8),
        help="keep keys and values at so many bits",
    )
    group.add_argument(
        "--quantized-kv-start",
        type=_natural_integer,
        default=0,
        metavar="N",
        help="keep them whole until the conversation has N tokens",
    )
    group.add_argument(
        "--max-kv-size",
        type=_positive_integer,
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
    if arguments.chat and arguments.json:
        parser.error("--json prints one document and cannot be used with --chat")
    if not arguments.chat and arguments.question is None and not arguments.media:
        parser.error("nothing to ask: give a PROMPT, --image, --video or --chat")
    if arguments.question is not None and not arguments.question.strip():
        parser.error("the prompt is empty")
    return arguments


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


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def _natural_number(text: str) -> float:
    value = _number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _positive_number(text: str) -> float:
    value = _number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _share_above_0(text: str) -> float:
    _positive_number(text)
    return _share(text)


def _natural_integer(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def _positive_integer(text: str) -> int:
    value = _natural_integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def _seed(text: str) -> int:
    value = _natural_integer(text)
    if value >= 2**64:
        raise argparse.ArgumentTypeError(f"{text} is not below 2**64")
    return value


def _pages(text: str) -> tuple[int, ...]:
    pages: list[int] = []
    for piece in text.split(","):
        first, dash, last = piece.strip().partition("-")
        low = _positive_integer(first)
        high = _positive_integer(last) if dash else low
        if high < low:
            raise argparse.ArgumentTypeError(f"{piece.strip()} is no range of pages")
        if high > _LAST_PAGE:
            raise argparse.ArgumentTypeError(f"no document has a page {high}")
        pages.extend(range(low, high + 1))
    return tuple(pages)
