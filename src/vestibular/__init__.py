"""Vestibular: an entrance exam for language models.

`Answerer` puts questions to the chosen model from Python.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vestibular.commands.inference import Answerer

__all__ = ["Answerer", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import slow modules on first access."""
    if name == "Answerer":
        from vestibular.commands.inference import Answerer

        return Answerer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
