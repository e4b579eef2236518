"""Where the model has to be before a version of it is registered."""

import subprocess
from pathlib import Path

import pytest

from tests.support.commands import run
from vestibular.core.errors import DataError
from vestibular.registry import checks

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("demo/remote", False),
        ("{here}/my models", False),
        ("/mnt/models of all/in a folder with a name that is wider than a terminal's line", True),
        ("s3://bucket/models", True),
        ("{here}-copy/remote", True),
    ],
)
def test_a_remote_within_the_project_is_no_place_of_others(
    in_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str,
    refused: bool,
) -> None:
    """What is not there is a note; what another remote lacks is refused. DVC itself is asked."""
    subprocess.run(["git", "init", "--quiet"], check=True)
    run(in_folder, "dvc", "init", "--quiet")
    own = address.format(here=in_folder)
    run(in_folder, "dvc", "remote", "add", "--quiet", "--default", "mine", own)
    monkeypatch.setattr(checks, "_dvc_status", lambda *_, **__: {"models/production": "new"})
    if refused:
        with pytest.raises(
            DataError, match="not in the DVC remote yet, where other machines would look"
        ):
            checks.check_pushed()
    else:
        checks.check_pushed()
        assert "note: models/production: not in the DVC remote yet" in capsys.readouterr().err
    # where the remote has it, nothing is said
    monkeypatch.setattr(checks, "_dvc_status", lambda *_, **__: {})
    checks.check_pushed()
    assert capsys.readouterr().err == ""
