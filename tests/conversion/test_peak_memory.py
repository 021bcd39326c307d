"""Memory is bounded by the block, not by the largest tensor nor by their number.

Block and tensors are scaled down together: 1 MB and 40 MB stand for 16 MB and the 1.24
GB of the embeddings.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.checkpoint_forms import config_with, per_expert, random_weights
from tests.conversion.forms import (
    COMPRESSED_TENSORS,
    SMALL,
    Raw,
    in_bf16,
    raw,
    raws,
    write_source,
)
from tests.conversion.measured import peak_of

HIDDEN = 64
BLOCK = 1_000_000
# The search's own arrays; their size has nothing to do with the block's.
SEARCH = 36_000_000
HEAD = "lm_head.weight"
EMBEDDINGS = "model.language_model.embed_tokens.weight"

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc"
)


def source(folder: Path, *, megabytes: int, layers: int, fp8: bool) -> Path:
    """A folder whose embeddings and head take so many MB each as bf16."""
    rows = max(200, megabytes * 1_000_000 // (2 * HIDDEN))
    text = {**SMALL["text_config"], "vocab_size": rows, "num_hidden_layers": layers}
    config = config_with(text_config=text)
    few = config_with(text_config={**text, "vocab_size": 2})
    stored = raws(in_bf16(per_expert(random_weights(few))))
    generator = np.random.default_rng(4)
    bits = generator.integers(0x3C00, 0x3D00, (rows, HIDDEN)).astype(np.uint16)
    for name in (EMBEDDINGS, HEAD):
        stored[name] = Raw("BF16", bits.shape, bits.tobytes())
    if fp8:
        config["quantization_config"] = COMPRESSED_TENSORS
        stored[HEAD] = raw((bits & 0x7E).astype(np.uint8), "F8_E4M3")
        stored[f"{HEAD}_scale"] = raw(np.ones((rows, 1), np.float32))
    return write_source(folder, config, stored)


@pytest.mark.parametrize(
    ("megabytes", "layers", "fp8", "search"),
    [
        pytest.param(40, 1, False, False, id="bf16"),
        pytest.param(40, 3, False, False, id="three-layers"),
        pytest.param(40, 1, True, False, id="fp8"),
        pytest.param(10, 1, False, True, id="search"),
    ],
)
def test_the_peak_is_a_few_blocks(
    tmp_path: Path, megabytes: int, layers: int, fp8: bool, search: bool
):
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.conversion.measured"])
    receiver, sender = context.Pipe(duplex=False)
    small = source(tmp_path / "small", megabytes=0, layers=1, fp8=fp8)
    large = source(tmp_path / "large", megabytes=megabytes, layers=layers, fp8=fp8)
    process = context.Process(
        target=peak_of, args=(small, large, tmp_path / "out", search, sender)
    )
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert receiver.recv() < 5 * BLOCK + (SEARCH if search else 0)
