"""The model card of a converted folder.

The same conversion gives the same card: no date, no name of a machine or a person.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter

from ..model.weights import keeps_float32, module_of
from ..parameters.kinds import kind_of
from ..parameters.recipes import Recipe
from ..parameters.shapes import size_of
from .plan import Parameter, Plan
from .recipe_words import words_of

_REPO_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)

_CARD = """\
---
library_name: mlx
pipeline_tag: image-text-to-text
{base_model}tags:
- mlx
- glm4v_moe
---

# {source} for MLX

Converted by mlx-glm45v {version}:

```
{command}
```

{recipe}: {size:.2f} GB, {bits:.2f} bits per weight, {count:,} weights{search}.

| part | weights | stored as |
|---|---:|---|
{rows}

The folder loads with mlx-glm45v (`python -m mlx_glm45v.generate --model FOLDER`) and
with mlx-vlm. `checksums.json` holds a CRC-32 of each array and file.
"""


def model_card(plan: Plan, *, source: str, command: str, version: str) -> str:
    """README.md with front matter; `source` is a repository id or a folder's name."""
    recipe = plan.recipe
    return _CARD.format(
        base_model=f"base_model: {source}\n" if _REPO_ID.fullmatch(source) else "",
        source=source,
        version=version,
        command=command,
        recipe=(
            f"Recipe `{recipe.name}` ({recipe.summary})"
            if recipe is not None
            else f"Not quantised, {plan.dtype}"
        ),
        size=plan.size / 1e9,
        bits=plan.bits_per_weight,
        count=plan.count,
        search=", scales and biases by least squares" if plan.search else "",
        rows="\n".join(_rows(plan)),
    )


def command_line(
    source: str,
    target: str,
    *,
    recipe: Recipe | None,
    search: bool = False,
    dequantize: bool = False,
    dtype: str | None = None,
    revision: str | None = None,
) -> str:
    """The command that makes the same folder of a source and a target called so.

    However it was asked for, the same recipe is the same words. A recipe for which the
    command line has none is shown as the value that a script gives.
    """
    how = [] if recipe is None else words_of(recipe)
    if recipe is not None and how is None:
        return f"mlx_glm45v.convert({source!r}, {target!r}, recipe={recipe!r})"
    words = ["python", "convert.py", "--hf-path", source, "--mlx-path", target]
    words += how or []
    words += ["--search"] if search else []
    words += ["--dequantize"] if dequantize else []
    words += ["--dtype", dtype] if dtype is not None else []
    words += ["--revision", revision] if revision is not None else []
    return shlex.join(words)


def _rows(plan: Plan) -> list[str]:
    numbers: Counter[tuple[str, str]] = Counter()
    for parameter in plan.parameters:
        kind = kind_of(module_of(parameter.key))
        numbers[kind, _stored_as(parameter, plan)] += size_of(parameter.shape)
    return [
        f"| {kind.replace('_', ' ')} | {count:,} | {stored} |"
        for (kind, stored), count in numbers.items()
        if stored
    ]


def _stored_as(parameter: Parameter, plan: Plan) -> str:
    scheme = parameter.scheme
    if scheme is None:
        return "float32" if keeps_float32(parameter.key) else plan.dtype
    return f"{scheme.bits} bit {scheme.mode}, groups of {scheme.group_size}"
