"""The documents: nothing left to be filled in, no link into the void, real commands."""

import re
from pathlib import Path

import pytest

from mlx_glm45v.cli.arguments import build_parser

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("*/*/*.md"))
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
]


@pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)
def test_nothing_is_left_to_be_filled_in(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"@@\w+@@|\bTODO\b|\bTBD\b|\b[A-Z]+_[A-Z]+\b(?![^`]*`)", text)


@pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_link_inside_the_repository_leads_somewhere(path):
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", text)
    inside = [a or b for a, b in links if "://" not in (a or b)]
    assert [link for link in inside if not (path.parent / link).exists()] == []


def test_every_option_in_the_readme_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    known = {o for action in build_parser()._actions for o in action.option_strings}
    for line in re.findall(r"mlx_glm45v\.generate .*(?:\\\n.*)?", text):
        for option in re.findall(r" (--[a-z-]+)", line):
            assert option in known, line


def test_every_test_that_is_named_exists():
    rows = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    for path, name in re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", rows):
        source = ROOT / "tests" / path
        source = source if source.exists() else ROOT / path
        assert source.exists(), path
        assert not name or f"def {name}(" in source.read_text(encoding="utf-8"), name
