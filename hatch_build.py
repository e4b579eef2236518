"""How a wheel is made: a version that its content gives, and what a user's project starts from."""

import re
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

sys.path.insert(0, str(Path(__file__).parent / "src"))

from vestibular.scaffold.contents import content_sha256, packed

DIGITS = 12
"""Of the content's hash, as much as tells two wheels apart."""


class ContentVersion(MetadataHookInterface):
    """Wheels of changed content have distinct versions, which pip can tell apart."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the version: the library's own, then a part of the content's hash."""
        root = Path(self.root)
        module = (root / "src/vestibular/__init__.py").read_text(encoding="utf-8")
        (version,) = re.findall(r'^__version__ = "(.+)"$', module, re.MULTILINE)
        # with letters: a number's leading zeros would be dropped
        metadata["version"] = f"{version}+sha{content_sha256(root)[:DIGITS]}"


class PackTemplate(BuildHookInterface):
    """The files that a user's project starts from are the repository's own."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to a wheel; an editable install finds them where they are."""
        if version != "editable":
            build_data["force_include"].update(packed(Path(self.root)))
