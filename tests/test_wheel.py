"""The package as people install it, away from the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> tuple[Path, str]:
    """The wheel, and what its build had to say."""
    folder = tmp_path_factory.mktemp("wheel")
    # setuptools leaves its working files in the source folder, so it gets a copy.
    source = folder / "source"
    source.mkdir()
    for name in ("mlx_glm45v", "app", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--verbose", "--no-deps"),
            *("--no-build-isolation", "--no-index"),
            *("--wheel-dir", str(folder), str(source)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    (built,) = folder.glob("*.whl")
    return built, done.stdout + done.stderr


@pytest.fixture
def wheel(build) -> Path:
    return build[0]


def test_the_build_warns_of_no_folder_that_is_no_package(build):
    assert "is absent from the `packages`" not in build[1]


def test_the_wheel_holds_the_demo_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "mlx_glm45v/demo/checkpoint/model.safetensors",
        "mlx_glm45v/demo/checkpoint/chat_template.jinja",
        "mlx_glm45v/demo/media/example.png",
        "mlx_glm45v/demo/media/example.mp4",
        "mlx_glm45v/py.typed",
    ):
        assert wanted in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {
        "mlx_glm45v",
        "mlx_glm45v_app",
        f"{wheel.name.split('-py3')[0]}.dist-info",
    }


def test_the_wheel_holds_every_module(wheel):
    """Packages are listed by hand in pyproject.toml."""
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    wanted = {
        f"{target}/{file.relative_to(ROOT / folder).as_posix()}"
        for folder, target in (("mlx_glm45v", "mlx_glm45v"), ("app", "mlx_glm45v_app"))
        for file in (ROOT / folder).rglob("*.py")
    }
    assert held == wanted


def test_the_installed_app_is_found_by_its_own_name(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "mlx_glm45v_app", "--worker", "nonsense"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert "no worker 'nonsense'" in done.stderr


def test_the_installed_wheel_answers_about_a_picture(wheel, tmp_path):
    target = tmp_path / "installed"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--no-index", "--target", str(target), str(wheel)),
        ],
        check=True,
        capture_output=True,
    )
    picture = target / "mlx_glm45v" / "demo" / "media" / "example.png"
    script = (
        "import mlx_glm45v, mlx_glm45v.generate as g, sys; "
        f"assert mlx_glm45v.__file__.startswith({str(target)!r}), mlx_glm45v.__file__; "
        f"sys.exit(g.main(['Describe the picture.', '--image', {str(picture)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
