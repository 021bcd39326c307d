"""The trainer's modules live beside the library, not in it."""

import sys
from pathlib import Path

TOOLS = str(Path(__file__).parents[2] / "tools")
if TOOLS not in sys.path:
    sys.path.append(TOOLS)
