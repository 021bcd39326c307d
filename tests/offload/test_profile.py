"""What was chosen survives being written and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.offload.profile import ExpertProfile


def test_counts_and_favourites():
    profile = ExpertProfile(2, 4)
    for experts in ([0, 2], [2, 3], [0, 2]):
        profile.add(1, experts)
    assert profile.chosen == [[0] * 4, [2, 0, 3, 1]]
    # 2 had been chosen by the token before; before 0 lay 3 and 2.
    assert profile.depths[1] == [1, 1, 1, 0]
    assert profile.favourites(1, 3) == [2, 0, 3]
    assert profile.favourites(0, 3) == []


def test_it_is_read_as_it_was_written(tmp_path: Path):
    profile = ExpertProfile(2, 4)
    profile.add(0, [1, 3])
    profile.save(tmp_path / "profile.json")
    again = ExpertProfile.load(tmp_path / "profile.json", layers=2, experts=4)
    assert (again.chosen, again.depths) == (profile.chosen, profile.depths)
    assert [path.name for path in tmp_path.iterdir()] == ["profile.json"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"chosen": [[1]], "depths": [[1]]}', '{"chosen": 3}'],
)
def test_what_is_no_profile_of_the_model(tmp_path: Path, text: str):
    path = tmp_path / "profile.json"
    path.write_text(text)
    with pytest.raises(CheckpointError, match="delete it, or name another"):
        ExpertProfile.load(path, layers=2, experts=4)


def test_layers_count_alike_however_long_they_were_streamed():
    profile = ExpertProfile(3, 4)
    for experts in ([0, 1], [0, 1], [0, 1]):
        profile.add(0, experts)
    for _ in range(10):
        for experts in ([0, 1], [2, 3]):
            profile.add(1, experts)
    assert not ExpertProfile(3, 4).known
    near, far, unknown = profile.depth_rates()
    assert near == [2 / 6, 2 / 6, 0, 0]
    assert far == [0, 0, 18 / 40, 18 / 40]
    assert unknown == [(a + b) / 2 for a, b in zip(near, far, strict=True)]
