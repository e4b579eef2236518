"""The statuses of a candidate after the choice."""

from enum import StrEnum


class Status(StrEnum):
    """Status of a candidate after the choice."""

    WINNER = "winner"
    UNDERCUT = "undercut"
    """The leader, replaced by a cheaper candidate within the margin."""
    WITHIN_MARGIN = "within_margin"
    """Cheaper and shown to be within the margin, but another such candidate is cheaper still."""
    BEYOND_MARGIN = "beyond_margin"
    """Cheaper, but not shown to be within the margin of every better candidate."""
    SAVES_TOO_LITTLE = "saves_too_little"
    """Cheaper than every better candidate, but by less than the rule requires."""
    DOMINATED = "dominated"
    """Another candidate scores no less and costs no more."""
    UNCLEAR = "unclear"
    """Above its reference points only within the noise, if the rule requires more."""
    BELOW_REFERENCE = "below_reference"
    """Not above every reference point."""
    CONSTRAINT = "constraint"
    """Fails a constraint."""
    OUTRANKED = "outranked"
    """Scores less, under a rule that ignores cost."""
