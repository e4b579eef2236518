"""Every link between files of the repository leads somewhere, where it is read as it is."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import ROOT

LINK = re.compile(r"(?<!\\)\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
GENERATED = re.compile(r"<!-- generated: ")
TEMPLATES = "src/"
"""Pages there are written into another project."""


def pages() -> list[Path]:
    """All pages that git holds, by their paths in the repository."""
    said = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = [Path(line) for line in said.stdout.splitlines()]
    return [path for path in found if not path.as_posix().startswith(TEMPLATES)]


def links(text: str) -> list[str]:
    """What a page links to within the repository; what it quotes as code is no link."""
    found = LINK.findall(CODE.sub("", FENCE.sub("", text)))
    return [each for each in found if not re.match(r"[a-z]+:", each)]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    titles = HEADING.findall(FENCE.sub("", text))
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", pages(), ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file or a folder of the repository, and to a heading that is there."""
    text = (ROOT / page).read_text(encoding="utf-8")
    broken = []
    for link in links(text):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists():
            broken.append(link)
        elif anchor and target.suffix == ".md":
            there = target.read_text(encoding="utf-8")
            # Sphinx checks the headings that are made when the site is built
            made = "reference" in target.parts and GENERATED.search(there)
            if anchor not in anchors(there) and not made:
                broken.append(link)
    assert broken == []


def test_the_check_sees_broken_links() -> None:
    """Text within code is none; an anchor is the heading's as a forge writes it."""
    text = "[a](b.md) `[c](d.md)`\n\n```\n[e](f.md)\n```\n\n[g](https://example.org) [h](#i)"
    assert links(text) == ["b.md", "#i"]
    titles = "# What *you* get: `a_b`\n\n## 1. Run it\n"
    assert anchors(titles) == {"what-you-get-a_b", "1-run-it"}
