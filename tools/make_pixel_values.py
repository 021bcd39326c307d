"""Write tests/parity/pixels.json and pixels.npz: what the reference makes of sizes,
frame counts and pixels. Needs torch and transformers (extra `reference`).

Run from the repository: python tools/make_pixel_values.py
"""

from __future__ import annotations

import ast
import importlib.util
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.models.glm4v.image_processing_pil_glm4v import (
    Glm4vImageProcessorPil,
    smart_resize,
)

OUT = Path(__file__).parents[1] / "tests" / "parity"
STILL = (12544, 9633792)
VIDEO = (12544, 47040000)
SIDES = (1, 13, 27, 28, 41, 42, 70, 98, 99, 480, 1080, 1920, 2827, 4032, 9001, 20000)
LENGTHS = (1, 2, 3, 7, 29, 30, 31, 59, 90, 299, 301, 750, 900, 1999)
RATES = (
    (24, 1),
    (25, 1),
    (30, 1),
    (30000, 1001),
    (60, 1),
    (1, 1),
    (15, 2),
    (2997, 125),
)
LONG = ((9001, (30, 1)), (9100, (30000, 1001)), (75000, (25, 1)), (400, (1, 1)))


def grids() -> list[Any]:
    cases = [(2, height, width, *STILL) for height in SIDES for width in SIDES]
    cases += [
        (frames, h, w, *VIDEO)
        for frames in (2, 3, 24, 640)
        for h, w in ((48, 64), (480, 640), (1080, 1920), (27, 5000))
    ]
    cases += [(2, h, w, 6272, 25088) for h, w in ((112, 112), (90, 300), (500, 20))]
    return [[*case, _size(*case)] for case in cases]


def _size(
    frames: int, height: int, width: int, low: int, high: int
) -> list[int] | None:
    try:
        return list(
            smart_resize(frames, height, width, min_pixels=low, max_pixels=high)
        )
    except ValueError:
        return None


def reference_sampling(model: str) -> Any:
    """`sample_frames` out of a module that cannot be imported without torchvision."""
    module = f"transformers.models.{model}.video_processing_{model}"
    spec = importlib.util.find_spec(module)
    origin = spec.origin if spec else None
    assert origin is not None
    tree = ast.parse(Path(origin).read_text())
    function = next(
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "sample_frames"
    )
    scope: dict[str, Any] = {"np": np, "math": math, "VideoMetadata": SimpleNamespace}
    exec(compile(ast.Module([function], []), module, "exec"), scope)
    processor = SimpleNamespace(fps=2, max_duration=300, temporal_patch_size=2)

    def indices(frames: int, rate: float, fps: float | None = None) -> list[int]:
        told = SimpleNamespace(
            total_num_frames=frames, fps=rate, duration=frames / rate
        )
        return scope["sample_frames"](processor, told, fps=fps).tolist()

    return indices


def sampling() -> dict[str, list[Any]]:
    cases = [(n, rate, None) for n in LENGTHS for rate in RATES]
    cases += [(*case, None) for case in LONG]
    even = [*cases, *((90, rate, fps) for rate in RATES for fps in (0.5, 3.0, 7.5))]
    found = {}
    for model, rows in (("glm4v", even), ("glm46v", cases)):
        indices = reference_sampling(model)
        found[model] = [
            [n, *rate, fps, indices(n, rate[0] / rate[1], fps)]
            for n, rate, fps in rows
            if model == "glm4v" or n * rate[1] / rate[0] >= 1 / 6
        ]
    return found


def picture(height: int, width: int) -> np.ndarray[Any, Any]:
    y, x, c = np.mgrid[:height, :width, :3]
    waves = 120 * np.sin(x / 5 + c) + 100 * np.cos(y / 3 - c) + x * y % 37
    return (128 + waves).clip(0, 255).astype(np.uint8)


def pixels() -> dict[str, np.ndarray[Any, Any]]:
    """Stills whose size stays, or changes in one direction only; frames of any."""
    found: dict[str, np.ndarray[Any, Any]] = {}
    processor = Glm4vImageProcessorPil(
        size={"shortest_edge": 784, "longest_edge": 10**7}
    )
    for number, (height, width) in enumerate(((56, 84), (56, 75), (47, 56))):
        still = picture(height, width)
        values = processor(Image.fromarray(still), return_tensors="np")
        found[f"still_{number}"] = still
        found[f"still_{number}_values"] = values["pixel_values"]
    targets = ((56, 84), (84, 84), (112, 140), (84, 112))
    sources = ((100, 150), (90, 70), (30, 40), (60, 170))
    for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
        frame = picture(*source)
        channels_first = torch.from_numpy(frame).permute(2, 0, 1)[None]
        resized = torch.nn.functional.interpolate(
            channels_first, target, mode="bicubic", antialias=True
        )
        found[f"frame_{number}"] = frame
        found[f"frame_{number}_resized"] = resized[0].permute(1, 2, 0).numpy()
    return found


def main() -> None:
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    table = {"grids": grids(), "sampling": sampling()}
    text = json.dumps(table, separators=(",", ":"))
    (OUT / "pixels.json").write_text(text.replace("]],[", "]],\n[") + "\n")
    np.savez_compressed(OUT / "pixels.npz", **pixels())


if __name__ == "__main__":
    main()
