"""A project's settings, changed through the YAML library of DVC's: comments and order stay."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ruamel.yaml import YAML


def change(
    project: Path, values: Mapping[str, object] | None = None, *, remove: Iterable[str] = ()
) -> None:
    """Set values, and take keys away, by dotted names such as `train.lora.r`.

    A setting that is not there yet is added, and a mapping on the way to it made.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    path = project / "params.yaml"
    settings = yaml.load(path)
    for name, value in (values or {}).items():
        *above, key = name.split(".")
        mapping = settings
        for each in above:
            mapping = mapping.setdefault(each, {})
        mapping[key] = value
    for name in remove:
        *above, key = name.split(".")
        mapping = settings
        for each in above:
            mapping = mapping[each]
        del mapping[key]
    yaml.dump(settings, path)
