"""`python -m mlx_glm45v.memory`: what a model needs, and which Macs have it.

Knows words and exit statuses: 0 it fits this machine, 1 it does not or cannot be told,
2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from mlx_glm45v.errors import Glm45vError

DOES_NOT_FIT = 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of `python -m mlx_glm45v.memory`."""
    parser = argparse.ArgumentParser(
        prog="python -m mlx_glm45v.memory",
        description="Say how much memory a model takes, and which machines have it. "
        "Reads no weights.",
        epilog="Exit status: 0 it fits this machine, its experts streamed or not, 1 it "
        "does not or cannot be told, 2 wrong usage.",
    )
    parser.add_argument(
        "--model",
        required=True,
        help="a checkpoint's folder, a Hugging Face repo id (its weights are not "
        "fetched), a config.json, or 'demo'",
    )
    parser.add_argument("--revision", help="a repository's branch, tag or commit")
    parser.add_argument(
        "--context",
        type=int,
        default=8192,
        metavar="TOKENS",
        help="tokens of prompt and answer, media included (default: %(default)s)",
    )
    parser.add_argument(
        "--images", type=int, default=0, metavar="N", help="pictures in the prompt"
    )
    parser.add_argument(
        "--image-tokens",
        type=int,
        metavar="N",
        help="tokens of each (default: the most that the checkpoint allows)",
    )
    parser.add_argument(
        "--video-seconds", type=float, default=0.0, metavar="S", help="a 1080p clip"
    )
    parser.add_argument("--kv-bits", type=int, choices=(4, 8), help="a quantised cache")
    parser.add_argument(
        "--prefill-step-size",
        type=int,
        default=2048,
        metavar="TOKENS",
        help="prompt tokens computed at once (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Raises:
        SystemExit: with status 2 for wrong usage, 0 after --help.
    """
    arguments = build_parser().parse_args(argv)
    try:
        return _run(arguments)
    except (Glm45vError, ValueError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return DOES_NOT_FIT


def _run(arguments: argparse.Namespace) -> int:
    # mlx, imported for the machine's limits, is not waited for by --help.
    from mlx_glm45v.memory import report
    from mlx_glm45v.memory.fitting import verdict, verdicts
    from mlx_glm45v.memory.footprint import Footprint, estimate_footprint
    from mlx_glm45v.memory.machine import this_machine
    from mlx_glm45v.memory.request import METAL, Backend
    from mlx_glm45v.memory.subject import find_subject

    subject = find_subject(arguments.model, revision=arguments.revision)

    def footprint_on(backend: Backend) -> Footprint:
        return estimate_footprint(
            subject.config,
            context=arguments.context,
            images=arguments.images,
            video_seconds=arguments.video_seconds,
            kv_bits=arguments.kv_bits,
            prefill_step_size=arguments.prefill_step_size,
            image_tokens=arguments.image_tokens or subject.image_tokens,
            weights=subject.sizes(backend).total,
            backend=backend,
        )

    on_macs, machine = footprint_on(METAL), this_machine()
    here = footprint_on(machine.backend)
    verdict_here = verdict(here, machine, subject.sizes(machine.backend))
    on_sizes = verdicts(on_macs, subject.sizes(METAL))
    if arguments.json:
        document = {
            "model": subject.name,
            "weights_from": subject.source,
            "mac": report.footprint_as_dict(on_macs),
            "macs": [report.verdict_as_dict(item) for item in on_sizes],
            "this_machine": {
                **report.verdict_as_dict(verdict_here),
                "footprint": report.footprint_as_dict(here),
            },
        }
        print(json.dumps(document, indent=2))
    else:
        print(f"{subject.name} on a Mac (weights from {subject.source}):")
        print(*report.table(on_macs), sep="\n")
        print(*report.verdict_table(on_sizes), sep="\n")
        print(report.verdict_line(verdict_here, here))
        print(report.kept_line(on_macs))
    return 0 if verdict_here.fits in ("yes", "streamed") else DOES_NOT_FIT


if __name__ == "__main__":
    sys.exit(main())
