"""`python -m mlx_glm45v.conversion`: the converter, wherever the package lies."""

import sys

from mlx_glm45v.conversion.command import main

if __name__ == "__main__":
    sys.exit(main())
