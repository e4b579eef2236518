"""What can go wrong with cells."""

from vestibular.core.errors import VestibularError


class ScatterError(VestibularError):
    """The cells cannot be run, or some of them have not ended well."""
