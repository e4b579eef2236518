"""What a page would load from other machines when it is opened."""

from html.parser import HTMLParser
from pathlib import Path

LOADED = {
    "audio": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "script": "src",
    "source": "src",
    "video": "src",
}
"""Elements for which a browser fetches something, and the attribute that names it."""
NOT_FETCHED = {"canonical", "next", "prev", "search", "index"}
"""Kinds of `link` that name another page."""

STYLE_SIGNS = ("url(http", "url('http", 'url("http', "url(//", "@import")
"""How a style sheet names a file elsewhere."""


class LoadedAddresses(HTMLParser):
    """Collects the addresses that a page loads from other machines."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        values = dict(attrs)
        address = values.get(LOADED.get(tag, ""))
        if tag == "link" and values.get("rel") in NOT_FETCHED:
            return
        if address and address.startswith(("http:", "https:", "//")):
            self.found.append(address)


def loaded_addresses(text: str) -> list[str]:
    """Return what an HTML page loads from other machines."""
    parser = LoadedAddresses()
    parser.feed(text)
    return parser.found


def faults(folder: Path) -> list[str]:
    """Return what the pages and style sheets of a site load from other machines, and where."""
    found = []
    for path in sorted(folder.rglob("*.html")):
        for address in loaded_addresses(path.read_text(encoding="utf-8")):
            found.append(f"{path.relative_to(folder)}: loads {address}; put the file into docs/")
    for path in sorted(folder.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        for sign in STYLE_SIGNS:
            if sign in text:
                found.append(f"{path.relative_to(folder)}: has {sign}...; put the file into docs/")
    return found
