"""Formulas against what a small model really takes on the CPU backend."""

from __future__ import annotations

import json
import subprocess
import sys

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models.cache import QuantizedKVCache

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.generation.prefill import plan_chunks
from mlx_glm45v.memory import CPU, METAL, Request, estimate_footprint
from mlx_glm45v.memory.formulas import feature_bytes, kv_bytes, kv_token_bytes
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from tests.checkpoint_forms import CONFIG, config_with

TINY = Glm4vMoeConfig.from_dict(CONFIG)


@pytest.fixture(scope="module")
def model() -> Glm4vMoeForConditionalGeneration:
    return Glm4vMoeForConditionalGeneration(TINY)


@pytest.mark.parametrize(
    ("prompt", "step", "answer"),
    [(1, 2048, 0), (256, 2048, 0), (700, 2048, 0), (900, 300, 0), (6000, 2048, 200)],
)
def test_the_cache_takes_what_mlx_lms_takes(
    model: Glm4vMoeForConditionalGeneration, prompt: int, step: int, answer: int
):
    cache = model.make_cache()
    chunks = [*plan_chunks(0, prompt, step), *((0, 1) for _ in range(answer))]
    for start, stop in chunks:
        # Values do not matter to sizes: nothing is evaluated.
        shape = (1, 2, stop - start, 32)
        for layer in cache:
            layer.update_and_fetch(mx.zeros(shape), mx.zeros(shape))
    request = Request(context=prompt + answer, prefill_step_size=step)
    real = sum(layer.nbytes for layer in cache)
    assert kv_bytes(TINY.text_config, request, CPU) == pytest.approx(real, rel=0.05)


def test_a_token_in_the_cache_of_the_real_layers(
    model: Glm4vMoeForConditionalGeneration,
):
    cache = model.make_cache()
    mx.eval(model(input_ids=mx.zeros((1, 256), mx.int32), past_key_values=cache).logits)
    real = sum(layer.nbytes for layer in cache)
    assert kv_token_bytes(TINY.text_config, None, CPU) * 256 == real


@pytest.mark.parametrize("bits", [4, 8])
def test_a_quantised_cache_takes_what_mlx_lms_takes(bits: int):
    config = Glm4vMoeConfig.from_dict(config_with(text_config={"head_dim": 128}))
    layer = QuantizedKVCache(group_size=64, bits=bits)
    keys = mx.zeros((1, 2, 600, 128), mx.bfloat16)
    layer.update_and_fetch(keys, keys)
    request = Request(context=600, kv_bits=bits)
    assert kv_bytes(config.text_config, request, METAL) == 3 * layer.nbytes


def test_features_take_what_the_tower_hands_over(
    model: Glm4vMoeForConditionalGeneration,
):
    grids = [(1, 8, 6), (1, 8, 6)]
    pixels = np.zeros((96, 1176), np.float32)
    features = model.encode_media(mx.array(pixels), grids)
    real = sum(array.nbytes for array in features)
    request = Request(context=100, images=2, image_tokens=12)
    assert feature_bytes(TINY, request, CPU) == real


PEAKS = """
import json, sys
import mlx.core as mx
import numpy as np
from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration

mx.set_default_device(mx.cpu)
raw, side, tokens = json.loads(sys.argv[1])
model = Glm4vMoeForConditionalGeneration(Glm4vMoeConfig.from_dict(raw))
mx.eval(model.parameters())

def peak_over(work):
    mx.clear_cache()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    kept = work()
    return mx.get_peak_memory() - before - sum(array.nbytes for array in kept)

def encode():
    pixels = mx.array(np.zeros((side * side, 1176), np.float32))
    features = model.encode_media(pixels, [(1, side, side)])
    mx.eval(features)
    return features

def prefill():
    cache = model.make_cache()
    ids = mx.zeros((1, tokens), mx.int32)
    positions = mx.broadcast_to(mx.arange(tokens), (3, 1, tokens))
    logits = model(
        input_ids=ids, position_ids=positions, past_key_values=cache, logits_to_keep=1
    ).logits
    mx.eval(logits)
    return [array for layer in cache for array in (layer.keys, layer.values)]

print(json.dumps([peak_over(encode), peak_over(prefill)]))
"""


def test_workspaces_are_upper_bounds_and_not_wild_ones():
    side, tokens = 20, 512
    raw = config_with(text_config={"hidden_size": 256, "moe_intermediate_size": 96})
    raw["vision_config"] = {
        **raw["vision_config"],
        "hidden_size": 192,
        "num_heads": 3,
        "out_hidden_size": 256,
        "intermediate_size": 684,
    }
    words = [sys.executable, "-c", PEAKS, json.dumps([raw, side, tokens])]
    done = subprocess.run(words, capture_output=True, check=True, text=True)
    vision, decoder = json.loads(done.stdout)
    found = estimate_footprint(
        Glm4vMoeConfig.from_dict(raw),
        context=tokens,
        images=1,
        image_tokens=side * side // 4,
        backend=CPU,
    )
    assert vision < found.vision_workspace < 4 * vision
    assert decoder < found.activations < 4 * decoder
