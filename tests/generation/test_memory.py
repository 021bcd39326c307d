"""What stays when work is done, and what it takes at most: each in its own process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

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


def run(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("asked", ["small", "quantised demo"])
def test_two_hundred_turns_leave_what_fifty_left(quantised_demo_folder, asked):
    folder = [quantised_demo_folder] if asked == "quantised demo" else []
    seen = run("-m", "tests.generation.soak", *folder)
    (resident, active, kept), (later, active_later, kept_later) = seen
    assert later <= 1.02 * resident
    assert active_later <= 1.02 * active
    assert kept > 1
    assert kept_later > 1


def test_many_pictures_take_what_the_largest_takes():
    """Ten large stills, and the frames of a video of 300 seconds."""
    one, ten, frames = run("-c", PEAKS)
    assert ten <= 1.05 * one
    assert frames <= one
