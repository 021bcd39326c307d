"""The converter's words on the command line, and what they mean together.

Knows argparse and which wishes contradict each other. Imports nothing heavy, so that
`--help` answers at once; opens no files.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from ..parameters.recipes import BITS, RECIPES, Mode, Recipe
from .recipe_words import recipe_of

_DTYPES = ("float16", "bfloat16", "float32")
_PREDICATES = tuple(name for name in RECIPES if name.startswith("mixed_"))
_EPILOG = """\
examples:
  python convert.py --hf-path zai-org/GLM-4.5V --mlx-path GLM-4.5V-4bit -q
  python convert.py --hf-path zai-org/GLM-4.5V-FP8 --recipe mac-96gb --dry-run
  python convert.py --hf-path zai-org/GLM-4.5V --recipe mac-64gb --fetch-by-shard
  python convert.py --mlx-path GLM-4.5V-4bit --verify

An interrupted conversion goes on when the same command is given again.
Exit status: 0 done, 1 failed or something is off, 2 wrong usage, 130 stopped by Ctrl-C.
"""


@dataclass(frozen=True)
class Wishes:
    """What was asked for, free of contradictions.

    `source` None: only the folder `target` is looked at, or recipes are listed.
    """

    source: str | None
    target: str
    recipe: Recipe | None
    search: bool
    dtype: str | None
    dequantize: bool
    revision: str | None
    list_recipes: bool
    dry_run: bool
    verify: bool
    fetch_by_shard: bool
    overwrite: bool


def build_parser() -> argparse.ArgumentParser:
    """The parser of `convert.py`."""
    parser = argparse.ArgumentParser(
        prog="python convert.py",
        description="Convert GLM-4.5V to MLX, quantised or not, on a Mac of any size.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--hf-path",
        "--model",
        metavar="SOURCE",
        help="the checkpoint to convert: a folder, a Hugging Face repo id, or 'demo'; "
        "bf16, fp16, fp32, FP8 or MLX",
    )
    parser.add_argument(
        "--mlx-path",
        default="mlx_model",
        metavar="FOLDER",
        help="where to write (default: %(default)s)",
    )
    parser.add_argument(
        "--revision", help="branch, tag or commit of the source's repository"
    )
    _add_quantising(parser)
    _add_ways(parser)
    return parser


def _add_quantising(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how the weights are stored")
    group.add_argument(
        "-q", "--quantize", action="store_true", help="quantise; 4 bits if not said"
    )
    group.add_argument("--q-bits", type=int, choices=BITS, help="bits per weight")
    group.add_argument(
        "--q-group-size",
        type=int,
        choices=(16, 32, 64, 128),
        help="weights that share a scale (default: 64, or what the mode fixes)",
    )
    group.add_argument(
        "--q-mode", choices=get_args(Mode), help="format (default: affine)"
    )
    group.add_argument(
        "--quant-predicate",
        choices=_PREDICATES,
        help="mlx-lm's recipes of two widths",
    )
    group.add_argument(
        "--recipe",
        choices=tuple(RECIPES),
        metavar="NAME",
        help="bits by kind of layer, such as mac-64gb; see --list-recipes",
    )
    group.add_argument(
        "--vision-bits",
        type=int,
        choices=(4, 5, 6, 8),
        help="quantise the vision tower, too (default: it stays as it is)",
    )
    group.add_argument(
        "--search",
        action="store_true",
        help="look for better scales: more exact at 2 to 4 bits, takes longer",
    )
    group.add_argument(
        "-d", "--dequantize", action="store_true", help="write plain floats"
    )
    group.add_argument(
        "--dtype",
        choices=_DTYPES,
        help="of what is not quantised (default: the source's)",
    )


def _add_ways(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to do")
    group.add_argument(
        "--list-recipes",
        action="store_true",
        help="print the recipes with size, bytes read per token and smallest Mac",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be written, what it takes and which Macs run it; SOURCE "
        "may be a config.json alone",
    )
    group.add_argument(
        "--verify",
        action="store_true",
        help="check the folder written, or one that is finished already: files, "
        "shapes, checksums, error against the source, one short answer",
    )
    group.add_argument(
        "--fetch-by-shard",
        action="store_true",
        help="fetch, convert and delete the repository's files one by one: disk for "
        "the output and two of them",
    )
    group.add_argument(
        "--overwrite", action="store_true", help="replace what FOLDER holds"
    )


def parse(argv: Sequence[str] | None = None) -> Wishes:
    """Read the arguments.

    Raises:
        SystemExit: with status 2 when the words do not fit together.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    try:
        return _wishes(arguments)
    except ValueError as error:
        parser.error(str(error))


def _wishes(arguments: argparse.Namespace) -> Wishes:
    _check_ways(arguments)
    return Wishes(
        source=arguments.hf_path,
        target=arguments.mlx_path,
        recipe=recipe_of(arguments),
        search=arguments.search,
        dtype=arguments.dtype,
        dequantize=arguments.dequantize,
        revision=arguments.revision,
        list_recipes=arguments.list_recipes,
        dry_run=arguments.dry_run,
        verify=arguments.verify,
        fetch_by_shard=arguments.fetch_by_shard,
        overwrite=arguments.overwrite,
    )


def _check_ways(arguments: argparse.Namespace) -> None:
    if not arguments.mlx_path:
        raise ValueError("--mlx-path is empty: name a folder to write to")
    if arguments.dry_run and arguments.verify:
        raise ValueError("--dry-run writes nothing that --verify could check")
    if arguments.hf_path is not None or arguments.list_recipes:
        return
    if not arguments.verify:
        raise ValueError(
            "--hf-path is missing: name the folder or repository to convert"
        )
    given = [
        f"--{name.replace('_', '-')}"
        for name, value in vars(arguments).items()
        if value and name not in ("mlx_path", "verify")
    ]
    if given:
        raise ValueError(
            f"{given[0]} says how to convert, but --hf-path does not say what; without "
            "it --verify checks --mlx-path alone"
        )
