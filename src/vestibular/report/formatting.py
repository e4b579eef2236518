"""Figures and facts in words, the same in the report and in the model card."""

from vestibular.selection.phrases import COST_KEYS
from vestibular.selection.result import Estimate, Gap, Selection

COLOURS = 8
"""Candidates' colours in the page's style, `--c0` and so on; more candidates begin anew."""

EXPLANATIONS = {
    "empty_answer": "the score of saying nothing.",
    "whole_context": "the score of repeating the whole text.",
    "overlap_sentence": "the text's sentence that holds most of the question's words, the first "
    "of several; a sentence ends at a full stop, exclamation mark, question mark or semicolon "
    "before white space, and at a new line.",
    "annotators": "each reference answer scored against the others, on the questions that have "
    "several.",
}

UNITS = {
    "flops": "operations an answer",
    "seconds": "seconds an answer",
    "bytes": "bytes of the base model",
}
"""Of a candidate's cost, by `select.cost`."""

DASH = "\N{EN DASH}"
"""In place of an interval that there is none of."""

NOT_MEASURED = "not measured"
"""In the place of a cost that was not measured here."""
SPACE = "\N{NO-BREAK SPACE}"
"""Between a number and its unit, which stay on one line."""

_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))


def figure(number: float) -> str:
    """Return a number to three digits, with a metric prefix where it is large."""
    for factor, prefix in _PREFIXES:
        # 999.6 rounds to a thousand
        if abs(number) >= 0.9995 * factor:
            scaled = number / factor
            digits = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
            number_alone = f"{scaled:.{digits}f}"
            return f"{number_alone}{SPACE}{prefix}" if prefix else number_alone
    return f"{number:.3g}"


def size(number: float) -> str:
    """Return a number of bytes to three digits."""
    scaled = figure(number)
    return f"{scaled}B" if scaled[-1].isalpha() else f"{scaled}{SPACE}B"


def seconds_alone(seconds: float) -> str:
    """Return seconds to three digits, without their unit and never with an exponent."""
    return f"{seconds:.3g}" if seconds < 999.5 else f"{seconds:,.0f}"


def duration(seconds: float) -> str:
    """Return a duration with its unit, as somebody would say it: `62.4 ms`, `17 min 32 s`."""
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
    """Return a text that ends like a sentence."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def capitalised(text: str) -> str:
    """Return a text whose first letter is a capital one."""
    return text[:1].upper() + text[1:]


def score_range(score: Estimate) -> str:
    """Return an interval, `0.740 to 0.865`, or a dash where there is none."""
    if score.low is None or score.high is None:
        return DASH
    return f"{score.low:.3f} to {score.high:.3f}"


def score_words(score: Estimate) -> str:
    """Return a score with its interval, if it has one: `0.802 (0.740 to 0.865)`."""
    if score.low is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f} ({score_range(score)})"


def signed(number: float) -> str:
    """Return a difference with its sign, to three decimals."""
    text = f"{number:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def signed_range(difference: Gap) -> str:
    """Return a difference's interval, or a dash where there is none."""
    if difference.low is None or difference.high is None:
        return DASH
    return f"{signed(difference.low)} to {signed(difference.high)}"


def deciding_cost(selection: Selection, name: str) -> float:
    """Return a candidate's cost, the one that decides."""
    return float(getattr(selection.candidates[name].cost, COST_KEYS[selection.rule.cost]))


def cost_words(selection: Selection, name: str) -> str:
    """Return a candidate's cost in the unit that decides: `82.0 M operations an answer`."""
    return f"{figure(deciding_cost(selection, name))} {UNITS[selection.rule.cost]}"
