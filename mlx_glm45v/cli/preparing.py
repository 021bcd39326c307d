"""From arguments to a loaded model and options.

Knows argparse's names and the library. Does not know what is asked.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlx_glm45v.cli.terminal import Terminal
from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.generation.sampling import SamplingOptions
from mlx_glm45v.loading import load
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from mlx_glm45v.processing.processor import Processor
from mlx_glm45v.progress import ShouldStop
from mlx_glm45v.prompting import ChatOptions


def loaded(
    arguments: Namespace,
    terminal: Terminal,
    should_stop: ShouldStop | None = None,
) -> tuple[Glm4vMoeForConditionalGeneration, Processor]:
    """The model that was asked for, and its processor.

    Raises:
        Glm45vError: it cannot be fetched, read or held.
        Cancelled: `should_stop` said so.
    """
    if arguments.model == "demo":
        terminal.note(
            "Using the demo, a tiny GLM-4.5V that knows coloured shapes, in pictures "
            "and short videos, and pages of big text. "
            "Name another with --model, such as mlx-community/GLM-4.5V-4bit."
        )
    profile = arguments.expert_profile
    if profile is not None and not Path(profile).absolute().parent.is_dir():
        raise CheckpointError(
            f"--expert-profile {profile!r}: its folder does not exist; make it first"
        )
    model, processor = load(
        arguments.model,
        force=arguments.force,
        expert_memory=arguments.expert_memory,
        expert_profile=arguments.expert_profile,
        progress=terminal.loading,
        should_stop=should_stop,
    )
    if model.expert_source is not None:
        terminal.note(
            f"{model.expert_source.resident:.0%} of the experts are in memory; the "
            "others are read from the files when they are chosen."
        )
    elif profile is not None:
        terminal.note("All experts are in memory: no profile of them is written.")
    return model, processor


@contextmanager
def experts_noted(
    model: Glm4vMoeForConditionalGeneration, arguments: Namespace, terminal: Terminal
) -> Iterator[None]:
    """Write the profile that was asked for at the end, however it comes."""
    try:
        yield
    finally:
        if arguments.expert_profile and model.expert_source is not None:
            try:
                model.expert_source.save_profile(Path(arguments.expert_profile))
            except OSError as error:
                terminal.note(f"the profile of experts was not written: {error}")


def chat_options(arguments: Namespace, defaults: Mapping[str, Any]) -> ChatOptions:
    """How to answer; `defaults` are the checkpoint's generation_config."""
    choice = {
        "temperature": arguments.temp,
        "top_p": arguments.top_p,
        "top_k": arguments.top_k,
        "min_p": arguments.min_p,
    }
    sampling = SamplingOptions.from_generation_config(defaults)
    if any(value is not None for value in choice.values()):
        # The checkpoint's own top_k of 1 would make any temperature greedy.
        plain = SamplingOptions(temperature=1.0, seed=sampling.seed)
        sampling = replace(plain, repetition_penalty=sampling.repetition_penalty)
    given = choice | {
        "repetition_penalty": arguments.repetition_penalty,
        "seed": arguments.seed,
    }
    sampling = replace(
        sampling,
        **{name: value for name, value in given.items() if value is not None},
    )
    options = ChatOptions(
        thinking=arguments.thinking,
        thinking_budget=arguments.thinking_budget,
        sampling=sampling,
        context_length=arguments.max_kv_size,
        kv_bits=arguments.kv_bits,
        quantized_kv_start=arguments.quantized_kv_start,
    )
    for name in ("max_tokens", "repetition_run"):
        if (value := getattr(arguments, name)) is not None:
            options = replace(options, **{name: value})
    return options
