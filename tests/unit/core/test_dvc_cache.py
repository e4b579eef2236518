"""DVC's cache is found where the configuration puts it, and asked for once."""

import subprocess
import sys
from pathlib import Path

import pytest

from vestibular.core import dvc_cache
from vestibular.core.dvc_cache import cached_object
from vestibular.core.version_control import run_dvc

MD5 = "0123456789abcdef0123456789abcdef"


def put(cache: Path) -> Path:
    """Put an object into a cache."""
    place = cache / "files/md5" / MD5[:2] / MD5[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(b"kept")
    return place


def test_the_usual_place_needs_no_project(in_folder: Path) -> None:
    """DVC is not asked for what is there, nor does it know anything outside a project."""
    place = put(Path.cwd() / ".dvc/cache")
    assert cached_object(MD5) == place
    assert cached_object("f" * 32) is None


@pytest.mark.parametrize("inside", [True, False])
def test_a_configured_place_is_asked_for_once(
    in_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    inside: bool,
) -> None:
    """Whether it is in the project or elsewhere; however many objects are looked for."""
    folder = Path("kept here") if inside else tmp_path_factory.mktemp("elsewhere")
    for command in (("init", "--quiet", "--no-scm"), ("cache", "dir", str(folder))):
        subprocess.run([sys.executable, "-m", "dvc", *command], check=True)
    asked = []

    def counted(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
        asked.append(arguments)
        return run_dvc(*arguments, folder=folder)

    monkeypatch.setattr(dvc_cache, "run_dvc", counted)
    place = put(folder.absolute())
    assert cached_object(MD5) is not None
    assert cached_object(MD5).samefile(place)  # type: ignore[union-attr]
    assert cached_object("f" * 32) is None
    assert asked == [("cache", "dir")]
