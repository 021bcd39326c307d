"""The bundle's main module: the installed app, whatever its arguments ask for.

The bundle's executable always runs this module, also when the app starts it once more
as a child, with `-m mlx_glm45v_app --engine`: the app looks for the last word only.
"""

import sys

from mlx_glm45v_app.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
