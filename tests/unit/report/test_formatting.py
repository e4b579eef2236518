"""Figures as somebody would say them."""

import pytest

from vestibular.report.formatting import SPACE, duration, seconds_alone


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0624, "62.4 ms"),
        (0.9996, "1 s"),
        (2.764, "2.76 s"),
        (59.96, "1 min"),
        (1052.1, "17 min 32 s"),
        (3599.6, "1 h"),
        (9725, "2 h 42 min"),
    ],
)
def test_a_duration_has_the_unit_that_fits(seconds: float, said: str) -> None:
    """From milliseconds to hours, and never with an exponent."""
    assert duration(seconds).replace(SPACE, " ") == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0624, "0.0624"), (999.6, "1,000"), (2060.7, "2,061")]
)
def test_seconds_in_a_table_have_no_exponent(seconds: float, said: str) -> None:
    """The column's title has the unit."""
    assert seconds_alone(seconds) == said
