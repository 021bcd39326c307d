"""What stays when work is done, and what it takes at most: each in its own process."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SOAK = """
import json, resource, sys
import mlx.core as mx
from mlx_glm45v.generation.reuse import GenerationCache
from tests.generation.fakes import make_prompt
from tests.generation.small_model import make_model, tokens

def resident():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * resource.getpagesize()

model = make_model()
cache = GenerationCache(model, kv_bytes=400_000, feature_bytes=4_000)
seen = {}
for turn in range(1, 201):
    # Conversations of four turns about a picture, of seven different ones.
    about, depth = turn // 4 % 7, turn % 4 + 1
    parts = [[1, 2], ("image", about, (8, 8)), *[[3, 4, about + 1]] * depth]
    prompt = make_prompt(*parts)
    conversation = cache.conversation(prompt, rope_length=len(prompt) + 8)
    tokens(model, prompt, max_tokens=8, cache=conversation, features=cache.features)
    cache.trim()
    if turn in (50, 200):
        del conversation
        mx.clear_cache()
        seen[turn] = (resident(), mx.get_active_memory(), len(cache))
print(json.dumps([seen[50], seen[200]]))
"""

PEAKS = """
import json
import mlx.core as mx
from mlx_glm45v.generation.prefill import encode_media
from tests.generation.fakes import make_prompt
from tests.generation.small_model import exhaust, make_model

model = make_model()

def peak(*sizes):
    prompt = make_prompt(*[("image", n, size) for n, size in enumerate(sizes)])
    mx.clear_cache()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    features = exhaust(encode_media(model, prompt))
    kept = sum(array.nbytes for array in features.values())
    return mx.get_peak_memory() - before - kept

large, small = (48, 48), (8, 8)
exhaust(encode_media(model, make_prompt(("image", 9, small))))
print(json.dumps([peak(large), peak(*[large] * 10), peak(*[small] * 300)]))
"""


def run(script):
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_two_hundred_turns_leave_what_fifty_left():
    (resident, active, kept), (later, active_later, kept_later) = run(SOAK)
    assert later <= 1.02 * resident
    assert active_later <= 1.02 * active
    assert kept > 1
    assert kept_later > 1


def test_many_pictures_take_what_the_largest_takes():
    """Ten large stills, and the frames of a video of 300 seconds."""
    one, ten, frames = run(PEAKS)
    assert ten <= 1.05 * one
    assert frames <= one
