"""`python convert.py --help`: GLM-4.5V for MLX, from any published form."""

import sys

from mlx_glm45v.conversion.command import main

if __name__ == "__main__":
    sys.exit(main())
