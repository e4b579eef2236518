"""The server as a package of its own, for a machine where nothing is trained."""

import os
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.support.commands import ROOT, run
from tests.support.patience import FOREVER, read_until

PACKAGE = ROOT / "src/neptune_server"


def project(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    return content


def test_it_needs_what_the_extra_has() -> None:
    """Installed alone or with the library, the server has the same packages."""
    whole = project(ROOT / "pyproject.toml")
    alone = project(PACKAGE / "pyproject.toml")
    assert alone["dependencies"] == whole["optional-dependencies"]["neptune-server"]
    assert alone["requires-python"] == whole["requires-python"]


@pytest.mark.slow
def test_its_wheel_serves(tmp_path: Path) -> None:
    """It holds the modules and the page's files, and no other package of this project."""
    source = shutil.copytree(
        PACKAGE, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__")
    )
    run(source, sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    (wheel,) = tmp_path.glob("neptune_server-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        held = {name for name in archive.namelist() if name.startswith("neptune_server/")}
    expected = {
        f"neptune_server/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "pyproject.toml"
    }
    assert held == expected
    process = subprocess.Popen(
        [sys.executable, "-m", "neptune_server", "--root", str(tmp_path / "root"), "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = read_until(process, process.stdout, "shows the runs").split()[1]
        with urlopen(address) as page:  # noqa: S310 - the server's own address
            assert b"page.js" in page.read()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=FOREVER)
    assert process.returncode == 0
