"""Where the model has to be before a version of it is registered."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from vestibular.core.errors import DataError
from vestibular.registry import checks

ELSEWHERE = "other\t/mnt/models of all"


@pytest.mark.parametrize(
    ("remotes", "refused"),
    [
        ("demo\t{here}/demo/remote\t(default)", False),
        ("demo    {here}/demo/remote    (default)\n" + ELSEWHERE, False),
        ("mine\t{here}/my models", False),
        (ELSEWHERE + "\t(default)\ndemo\t{here}/demo/remote", True),
        (ELSEWHERE, True),
        ("mine\ts3://bucket/models\t(default)", True),
        ("near\t{here}-copy/remote\t(default)", True),
    ],
)
def test_a_remote_within_the_project_is_no_place_of_others(
    in_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    remotes: str,
    refused: bool,
) -> None:
    """What is not there is a note; what another remote lacks is refused."""
    listed = remotes.format(here=in_folder)
    monkeypatch.setattr(checks, "run_dvc", lambda *_, **__: CompletedProcess((), 0, listed, ""))
    monkeypatch.setattr(checks, "_dvc_status", lambda *_, **__: {"models/production": "new"})
    if refused:
        with pytest.raises(DataError, match="not in the DVC remote yet, where others would look"):
            checks.check_pushed()
    else:
        checks.check_pushed()
        assert "note: models/production: not in the DVC remote yet" in capsys.readouterr().err
    # where the remote has it, nothing is said
    monkeypatch.setattr(checks, "_dvc_status", lambda *_, **__: {})
    checks.check_pushed()
    assert capsys.readouterr().err == ""
