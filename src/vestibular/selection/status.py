"""What may become of a candidate, in a word."""

from enum import StrEnum


class Status(StrEnum):
    """What became of a candidate."""

    WINNER = "winner"
    UNDERCUT = "undercut"
    """The leader, whose place a cheaper candidate within the margin has taken."""
    WITHIN_MARGIN = "within_margin"
    """Cheaper and shown to lie within the margin; another such one is cheaper still."""
    BEYOND_MARGIN = "beyond_margin"
    """Cheaper, and not shown to lie within the margin of every better one."""
    SAVES_TOO_LITTLE = "saves_too_little"
    """Cheaper than every better one, by less than the rule asks."""
    DOMINATED = "dominated"
    """Another one scores no less and costs no more."""
    UNCLEAR = "unclear"
    """Above its reference points within the noise, where the rule asks for more."""
    BELOW_REFERENCE = "below_reference"
    """Not above every reference point."""
    CONSTRAINT = "constraint"
    """Fails a constraint."""
    OUTRANKED = "outranked"
    """Scores less, where cost has no say."""
