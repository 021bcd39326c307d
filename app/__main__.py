"""Starts the app, or one of its child processes.

A bundled app is its own `python`: children are started as this module once more, so
their words are looked for before anything of Qt is imported.
"""

from __future__ import annotations

import sys


def main() -> int:
    """The exit status of whatever the arguments ask for."""
    arguments = sys.argv[1:]
    if "--engine" in arguments:
        from .engine.process import main as serve

        return serve()
    if "--worker" in arguments:
        from .workers.process import run

        after = arguments.index("--worker") + 1
        return run(arguments[after] if after < len(arguments) else "")
    from .application import main as show

    return show()


if __name__ == "__main__":
    sys.exit(main())
