"""Formatting of figures and facts, the same in the report and in the model card."""

from vestibular.selection.answer_costs import COSTS
from vestibular.selection.result import Estimate, Gap, Selection

COLOURS = 8
"""Number of colours for candidates in the page's style, `--c0` and so on; further candidates reuse
them."""

EXPLANATIONS = {
    "empty_answer": "the score of an empty answer.",
    "whole_context": "the score of answering with the whole context.",
    "overlap_sentence": "the sentence of the context that shares the most words with the question, "
    "the first of several; a sentence ends at a full stop, exclamation mark, "
    "question mark or semicolon before white space, and at a newline.",
    "annotators": "each reference answer scored against the others, on the questions with several.",
}

DASH = "\N{EN DASH}"
"""Shown where there is no interval."""

NOT_MEASURED = "not measured"
"""Shown for a cost that was not measured here."""
SPACE = "\N{NO-BREAK SPACE}"
"""Between a number and its unit, to keep them on one line."""

_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))


def figure(number: float) -> str:
    """Format a number with three digits, and a metric prefix if it is large."""
    for factor, prefix in _PREFIXES:
        # 999.6 rounds to a thousand
        if abs(number) >= 0.9995 * factor:
            scaled = number / factor
            digits = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
            number_alone = f"{scaled:.{digits}f}"
            return f"{number_alone}{SPACE}{prefix}" if prefix else number_alone
    return f"{number:.3g}"


def size(number: float) -> str:
    """Format a number of bytes with three digits."""
    scaled = figure(number)
    return f"{scaled}B" if scaled[-1].isalpha() else f"{scaled}{SPACE}B"


def seconds_alone(seconds: float) -> str:
    """Format seconds with three digits, without the unit and never with an exponent."""
    return f"{seconds:.3g}" if seconds < 999.5 else f"{seconds:,.0f}"


def duration(seconds: float) -> str:
    """Format a duration with its unit, in everyday form: `62.4 ms`, `17 min 32 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g}{SPACE}ms"
    if seconds < 59.95:
        return f"{seconds:.3g}{SPACE}s"
    if seconds < 3599.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}{SPACE}min" + (f" {rest}{SPACE}s" if rest else "")
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}{SPACE}h" + (f" {minutes}{SPACE}min" if minutes else "")


def plain(point: str) -> str:
    """Return a reference point's name in words."""
    return point.replace("_", " ")


def sentence(text: str) -> str:
    """Return a text that ends with a full stop."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def capitalised(text: str) -> str:
    """Return a text with a capital first letter."""
    return text[:1].upper() + text[1:]


def score_range(score: Estimate) -> str:
    """Format an interval, `0.740 to 0.865`, or a dash if there is none."""
    if score.low is None or score.high is None:
        return DASH
    return f"{score.low:.3f} to {score.high:.3f}"


def score_words(score: Estimate) -> str:
    """Format a score with its interval, if it has one: `0.802 (0.740 to 0.865)`."""
    if score.low is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f} ({score_range(score)})"


def signed(number: float) -> str:
    """Format a difference with its sign and three decimals."""
    text = f"{number:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def signed_range(difference: Gap) -> str:
    """Format a difference's interval, or a dash if there is none."""
    if difference.low is None or difference.high is None:
        return DASH
    return f"{signed(difference.low)} to {signed(difference.high)}"


def deciding_cost(selection: Selection, name: str) -> float:
    """Return a candidate's deciding cost."""
    return float(getattr(selection.candidates[name].cost, COSTS[selection.rule.cost].key))


def cost_words(selection: Selection, name: str) -> str:
    """Format a candidate's deciding cost with its unit: `82.0 M operations per answer`."""
    return f"{figure(deciding_cost(selection, name))} {COSTS[selection.rule.cost].unit}"
