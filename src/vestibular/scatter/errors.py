"""Errors of cells."""

from vestibular.core.errors import VestibularError


class ScatterError(VestibularError):
    """The cells cannot run, or some of them have failed."""
