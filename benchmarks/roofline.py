"""What a Mac can reach at most, by arithmetic: bandwidth over the bytes a token reads.

    python -m benchmarks.roofline

Weights are counted from the shapes of GLM-4.5V's config under each recipe, keys and
values in 16 bits. Nothing is measured: runtimes reach a third to two thirds of it.
"""

from __future__ import annotations

from mlx_glm45v.conversion.recipe_table import released
from mlx_glm45v.conversion.sizes import measure
from mlx_glm45v.memory.formulas import kv_token_bytes
from mlx_glm45v.memory.request import METAL
from mlx_glm45v.parameters.recipes import RECIPES

# Memory bandwidth in GB/s, as Apple states it for the largest variant of each chip.
CHIPS = {
    "M1 Max": 400,
    "M1 Ultra": 800,
    "M2 Max": 400,
    "M2 Ultra": 800,
    "M3 Max": 400,
    "M3 Ultra": 819,
    "M4 Pro": 273,
    "M4 Max": 546,
    "M5 Max": 614,
}
CONTEXTS = (4096, 32_768)
_SHOWN = ("2bit", "3bit", "4bit", "6bit", "8bit", "mac-64gb", "mac-96gb", "mac-128gb")


def main() -> None:
    config = released()
    token = kv_token_bytes(config.text_config, None, METAL)
    print(f"| recipe | GB | GB/token | {' | '.join(CHIPS)} |")
    print(f"|{'---|' * (3 + len(CHIPS))}")
    for name in (*_SHOWN, "mac-192gb"):
        sizes = measure(config, RECIPES[name])
        row = [
            "/".join(
                f"{bandwidth * 1e9 / (sizes.bytes_per_token + context * token):.0f}"
                for context in CONTEXTS
            )
            for bandwidth in CHIPS.values()
        ]
        read, size = sizes.bytes_per_token / 1e9, sizes.total_bytes / 1e9
        print(f"| {name} | {size:.1f} | {read:.2f} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
