"""Remarks on the choice that every reader needs besides its reason, in sentences."""

from vestibular.core.metrics import METRIC_NAMES
from vestibular.selection.phrases import counted, number
from vestibular.selection.result import Selection

FOLDS = "dvc exp run -S 'repeats=[fold-1,fold-2,fold-3,fold-4,fold-5]'"
"""Command that compares the candidates on all questions."""
PRICE = "it trains and examines each candidate five times more"


def cost_remark(found: Selection) -> str | None:
    """Say whether cost can decide with these data; None if no candidate is cheap enough."""
    say, margin = found.cost_say, found.rule.margin
    if say is None:
        return None
    accepted = "an equally good, cheaper model is accepted with 80 % probability"
    if say.has_say:
        return (
            f"Cost can decide: with a margin of {say.margin_needed:.3f} or more, {accepted}, and "
            f"select.margin is {margin:g}."
        )
    said = (
        f"Cost cannot decide with these data: the lower bound is {number(say.half_width)} below "
        f"the measured difference, which is more than select.margin ({margin:g}). With a margin "
        f"of {say.margin_needed:.2f}, {accepted}"
    )
    if found.questions.folds or too_few(found) is not None:
        return f"{said}."
    return (
        f"{said}; `{FOLDS}` compares the candidates on all questions, which tightens the bound; "
        f"{PRICE}."
    )


def correction(found: Selection) -> str:
    """Return the chosen candidate's score corrected for selection bias, in a sentence."""
    label, fixed = METRIC_NAMES[found.metric], found.corrected
    if fixed is not None:
        return (
            f"Corrected for selection bias, {found.shown}'s {label} is {number(fixed.corrected)} "
            f"({number(fixed.measured)} measured, optimism {number(fixed.optimism)})."
        )
    if found.leader is None:
        return "No corrected score: no candidate is chosen."
    cause = "there are fewer than five documents"
    if not found.questions.few:
        cause = "one document holds half of the questions or more"
    return f"No corrected score: {cause}."


def documents(found: Selection) -> str:
    """Say on what the candidates are compared."""
    asked = found.questions
    basis = "the validation questions"
    if asked.folds:
        basis = f"the out-of-fold answers of a {asked.folds}-fold cross-validation"
    return (
        f"Compared on {basis}: {counted(asked.count, 'question')} of "
        f"{counted(asked.documents, 'document')} (equivalent to {asked.effective_documents:.1f} "
        "documents of equal size)."
    )


def weakness(found: Selection) -> str | None:
    """Say how few or unequal documents limit the intervals; None if they do not."""
    asked = found.questions
    if asked.documents == 1:
        return "With one document there is no interval: nothing shows how documents differ."
    said = []
    if asked.few:
        said.append(f"There are only {asked.documents} documents: every interval is based on few.")
    if asked.dominated:
        said.append(
            f"One document holds {asked.largest_share:.0%} of the questions: the intervals are "
            "about new documents, and it counts as only one of them."
        )
    return " ".join(said) or None


def too_few(found: Selection) -> str | None:
    """Say that there are too few documents to tell the two best candidates apart.

    None if they are told apart, if a difference as small as the margin would be detected, or if
    there is nothing to compare.
    """
    leader, least = found.leader, found.smallest_detectable
    others = [name for name in found.candidates if name != leader]
    if leader is None or not others or (least is not None and least <= found.rule.margin):
        return None
    # candidates are ordered by rank
    other = others[0]
    against = found.candidates[other].against_leader
    gap = None if against is None else against.of(found.metric)
    if gap is not None and gap.p_value is not None and gap.p_value < found.method.level:
        return None
    asked = found.questions
    basis = f"{counted(asked.count, 'question')} of {counted(asked.documents, 'document')}"
    said = f"{basis} are too few to tell {leader} from {other}"
    if gap is not None:
        said += f": their {METRIC_NAMES[found.metric]} differs by {number(abs(gap.value))}"
        if least is not None:
            said += f", and a true difference of {number(least)} is detected with 80 % probability"
    if asked.folds:
        return f"{said}; more documents are needed."
    return f"{said}. `{FOLDS}` compares the candidates on all questions; {PRICE}."


def detectable(found: Selection) -> str | None:
    """Say which difference is detectable; None if there is nothing to compare."""
    least, label = found.smallest_detectable, METRIC_NAMES[found.metric]
    if least is None or found.leader is None:
        return None
    most = found.score(found.leader).value
    if least >= most:
        return (
            "These documents can tell nothing apart: not even a true difference of "
            f"{number(most)} in {label} would be detected with 80 % probability."
        )
    return f"A true difference of {number(least)} in {label} is detected with 80 % probability."


def budgets(found: Selection) -> str | None:
    """Say that the candidates were trained with different budgets; None if they were not."""
    if not found.unequal:
        return None
    each = "; ".join(
        f"{one.setting} {', '.join(f'{value} ({name})' for name, value in one.values.items())}"
        for one in found.unequal
    )
    return f"Unequal budgets: the candidates were trained with different settings ({each})."


def notes(found: Selection) -> list[str]:
    """Return the remarks that every reader of the choice needs besides its reason."""
    said: list[str | None] = [
        weakness(found),
        too_few(found),
        correction(found),
        cost_remark(found),
        budgets(found),
    ]
    worst = found.worst_document
    if worst is not None and found.winner is not None:
        said.append(
            f"{found.winner} is furthest below {found.leader} on {worst.name} "
            f"({counted(worst.questions, 'question')}): {worst.difference:+.3f} in "
            f"{METRIC_NAMES[found.metric]}."
        )
    if found.questions.seeds > 1:
        said.append(
            f"Each score is the mean of {found.questions.seeds} seeds, whose noise is included in "
            "the bounds: the comparison is between recipes, and the model for production is that "
            f"of seed {found.method.seed}."
        )
    return [each for each in said if each is not None]
