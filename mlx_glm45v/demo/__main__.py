"""`python -m mlx_glm45v.demo`: shows what the demo knows, question by question.

Knows exit statuses and where drawings go. What is heavy is imported where it is used.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mlx_glm45v.cli.statuses import (
    DONE,
    FAILED,
    INTERRUPTED,
    error_line,
    leave_output,
)
from mlx_glm45v.errors import Glm45vError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status.

    Raises:
        SystemExit: with status 2 for wrong usage, 0 after --help.
    """
    argparse.ArgumentParser(
        prog="python -m mlx_glm45v.demo",
        description="Ask the demo about the pictures and videos that it comes with. "
        "Boxes are drawn into a new temporary folder.",
        epilog="Questions of your own: python -m mlx_glm45v.generate --help",
    ).parse_args(argv)
    from mlx_glm45v.cli.terminal import Terminal
    from mlx_glm45v.demo.gallery import show_gallery

    # All on one stream: a gallery is read from the top, in a file too.
    terminal = Terminal(sys.stdout, sys.stdout)
    try:
        show_gallery(terminal, Path(tempfile.mkdtemp(prefix="glm45v-demo-")))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return leave_output()
    except Glm45vError as error:
        print(error_line(error), file=sys.stderr)
        return FAILED
    return DONE


if __name__ == "__main__":
    sys.exit(main())
