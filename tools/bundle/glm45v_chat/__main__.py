"""The bundle's main module: the installed app, whatever its arguments ask for.

The bundle's executable always runs this module, also when the app starts it once more
as a child, with `-m mlx_glm45v_app --engine`: the app looks for the last word only.
"""

import sys
import traceback

from mlx_glm45v_app.__main__ import main


def run() -> int:
    """The exit status. An error of a child ends it.

    The executable would put up a dialog and wait for a click, and nobody would hear
    that the child is gone. For the window that dialog is the right thing.
    """
    try:
        return main()
    except Exception:
        if sys.argv[1:2] != ["-m"]:
            raise
        traceback.print_exc()
        return 1


if __name__ == "__main__":
    sys.exit(run())
