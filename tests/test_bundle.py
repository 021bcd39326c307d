"""The macOS bundle's configuration, as far as it can be seen without a Mac."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from app.paths import APP_NAME

ROOT = Path(__file__).parents[1]
# As the bundle's executable does it: its own module, and every argument left in place.
START = """
import runpy, sys
sys.path.insert(0, "tools/bundle")
sys.argv = ["GLM45V Chat", *sys.argv[1:]]
{before}
runpy._run_module_as_main("glm45v_chat", alter_argv=False)
"""


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def started(*arguments: str, before: str = "") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", START.format(before=before), *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_bundle_is_called_as_the_app_and_the_package_is_versioned(project):
    briefcase = project["tool"]["briefcase"]
    (app,) = briefcase["app"].values()
    assert app["formal_name"] == APP_NAME
    assert "." not in app["formal_name"]
    assert briefcase["version"] == project["project"]["version"]
    assert (ROOT / app["sources"][0] / "__main__.py").exists()


def test_pictures_videos_and_documents_can_be_opened_with_it(project):
    (app,) = project["tool"]["briefcase"]["app"].values()
    types = app["macOS"]["info"]["CFBundleDocumentTypes"]
    kinds = {kind for each in types for kind in each["LSItemContentTypes"]}
    assert kinds == {"public.image", "public.movie", "com.adobe.pdf", "public.folder"}


def test_the_icon_has_every_size(project):
    (app,) = project["tool"]["briefcase"]["app"].values()
    with Image.open(ROOT / f"{app['icon']}.icns") as icon:
        assert {width for width, _, _ in icon.info["sizes"]} >= {16, 32, 128, 256, 512}


def test_a_child_finds_its_words_behind_the_executables_own():
    done = started("-m", "mlx_glm45v_app", "--worker", "nonsense")
    assert "no worker 'nonsense'" in done.stderr
    assert done.returncode == 2
    assert started("-m", "mlx_glm45v_app", "--engine").returncode == 0


def test_a_child_that_fails_ends_with_a_status_and_no_dialog():
    before = "sys.modules['mlx_glm45v_app.workers.process'] = None"
    done = started("-m", "mlx_glm45v_app", "--worker", "media", before=before)
    assert done.returncode == 1
    assert "import of mlx_glm45v_app.workers.process halted" in done.stderr
    assert "_run_module_as_main" not in done.stderr  # which the executable would show
