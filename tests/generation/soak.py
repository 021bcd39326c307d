"""Two hundred turns of a few conversations: what stays in memory after 50 and 200.

`python -m tests.generation.soak [FOLDER]` asks the checkpoint in FOLDER, else a small
random model, and prints [resident, active, conversations kept] twice as JSON.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import mlx.core as mx

from mlx_glm45v import ChatOptions, ChatSession, load
from mlx_glm45v.demo.scenes import draw, random_scene
from mlx_glm45v.generation.reuse import GenerationCache
from tests.generation.fakes import make_prompt
from tests.generation.small_model import make_model, tokens

TURNS, SEEN = 200, (50, 200)
# Five turns about each of five pictures, so that both are the end of the same round.
DEPTH, PICTURES = 5, 5
STATM = Path("/proc/self/statm")


def main() -> None:
    cache, ask = demo(*sys.argv[1:]) if sys.argv[1:] else small()
    seen = []
    for turn in range(1, TURNS + 1):
        ask(turn // DEPTH % PICTURES, turn % DEPTH)
        if turn in SEEN:
            mx.clear_cache()
            seen.append((resident(), mx.get_active_memory(), len(cache)))
    print(json.dumps(seen))


def small() -> tuple[GenerationCache, Callable[[int, int], None]]:
    model = make_model()
    cache = GenerationCache(model, kv_bytes=400_000, feature_bytes=4_000)

    def ask(about: int, depth: int) -> None:
        question = [3, 4, about + 1]
        prompt = make_prompt(
            [1, 2], ("image", about, (8, 8)), *[question] * (depth + 1)
        )
        conversation = cache.conversation(prompt, rope_length=len(prompt) + 8)
        tokens(model, prompt, max_tokens=8, cache=conversation, features=cache.features)
        cache.trim()

    return cache, ask


def demo(folder: str) -> tuple[GenerationCache, Callable[[int, int], None]]:
    model, processor = load(folder)
    cache = GenerationCache(model, kv_bytes=4_000_000, feature_bytes=100_000)
    pictures = [draw(random_scene(Random(seed))) for seed in range(PICTURES)]
    options = ChatOptions(max_tokens=4, thinking=False)
    session = ChatSession(model, processor, options=options, cache=cache)

    def ask(about: int, depth: int) -> None:
        if not depth:
            session.reset()
        first = not session.messages
        session.ask("What is in it?", images=[pictures[about]] if first else [])

    return cache, ask


def resident() -> int:
    """Bytes of this process's memory, now."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    told = subprocess.check_output(["ps", "-o", "rss=", "-p", str(os.getpid())])
    return int(told) * 1024


if __name__ == "__main__":
    main()
