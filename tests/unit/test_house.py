"""What holds for all of the code."""

from tests.support.commands import ROOT

MOST_LINES = 300


def test_modules_are_short() -> None:
    """A module of the library is read at a sitting."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for folder in ("src", "stages")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}
