"""The check that the site loads nothing from other machines sees what would be loaded."""

import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT

sys.path.insert(0, str(ROOT / "docs"))

from extensions.loaded import faults


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="//example.org/a.css">',
        '<img src="http://example.org/a.png" alt="">',
    ],
)
def test_what_a_page_would_load_is_found(element: str, tmp_path: Path) -> None:
    """Scripts, styles and pictures, by their addresses."""
    (tmp_path / "page.html").write_text(f"<html>{element}</html>", encoding="utf-8")
    (found,) = faults(tmp_path)
    assert found.startswith("page.html: loads ")


def test_links_to_other_sites_are_none(tmp_path: Path) -> None:
    """A reader may follow them; nothing is loaded before."""
    text = '<a href="https://example.org">a</a><img src="a.png"><script src="a.js"></script>'
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    (tmp_path / "style.css").write_text("a { background: url(b.png) }", encoding="utf-8")
    assert faults(tmp_path) == []


def test_a_font_from_elsewhere_is_found(tmp_path: Path) -> None:
    """In a style sheet."""
    text = "@font-face { src: url('https://example.org/a.woff2') }"
    (tmp_path / "style.css").write_text(text, encoding="utf-8")
    assert len(faults(tmp_path)) == 1
