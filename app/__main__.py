"""What the app's own processes are: a worker where `--worker KIND` is asked for.

Looked for before Qt is imported: in a bundled app, `sys.executable -m ...` starts this
module again whatever stands behind it.
"""

import sys


def main(arguments: list[str]) -> int:
    """Serve as the worker that is named."""
    if "--worker" in arguments[:-1]:
        from .workers.process import run

        return run(arguments[arguments.index("--worker") + 1])
    print("the app's window is not built yet; use --worker KIND", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
