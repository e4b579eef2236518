"""What every reader of the choice has to know beside its reason, in sentences."""

from vestibular.selection.phrases import METRIC_NAMES, counted, number
from vestibular.selection.result import Selection

FOLDS = "dvc exp run -S 'repeats=[fold-1,fold-2,fold-3,fold-4,fold-5]'"
"""What compares on all questions."""
PRICE = "it trains and examines each candidate five times more"


def cost_say(found: Selection) -> str | None:
    """Say whether cost can decide with these data; None where no candidate is cheap enough."""
    say, margin = found.cost_say, found.rule.margin
    if say is None:
        return None
    accepted = "an equal cheaper model is accepted four times in five"
    if say.has_say:
        return (
            f"Cost has a say: with a margin of {say.margin_needed:.3f} or more {accepted}, and "
            f"select.margin is {margin:g}."
        )
    said = (
        f"Cost has no say with these data: the bound lies {number(say.half_width)} below what is "
        f"measured, further than select.margin, {margin:g}. With a margin of "
        f"{say.margin_needed:.2f} {accepted}"
    )
    if found.questions.folds or too_few(found) is not None:
        return f"{said}."
    return f"{said}; `{FOLDS}` compares on all questions, which narrows the bound; {PRICE}."


def correction(found: Selection) -> str:
    """Say what the chosen candidate's score is without the luck of being chosen."""
    label, fixed = METRIC_NAMES[found.metric], found.corrected
    if fixed is not None:
        return (
            f"Corrected for the luck of being chosen, {found.shown}'s {label} is "
            f"{number(fixed.corrected)} ({number(fixed.measured)} measured, an optimism of "
            f"{number(fixed.optimism)})."
        )
    if found.leader is None:
        return "No corrected score: nothing is chosen."
    cause = "there are fewer than five documents"
    if not found.questions.few:
        cause = "one document holds half of the questions or more"
    return f"No corrected score of the choice: {cause}."


def documents(found: Selection) -> str:
    """Say what the candidates are compared on."""
    asked = found.questions
    basis = "the validation questions"
    if asked.folds:
        basis = f"the out-of-fold answers of a {asked.folds}-fold cross-validation"
    return (
        f"Compared on {basis}: {counted(asked.count, 'question')} of "
        f"{counted(asked.documents, 'document')} (as good as {asked.effective_documents:.1f} "
        "equal ones)."
    )


def weakness(found: Selection) -> str | None:
    """Say what the documents cannot bear; None if there is nothing of the kind."""
    asked = found.questions
    if asked.documents == 1:
        return "With one document there is no interval: nothing tells how documents differ."
    said = []
    if asked.few:
        said.append(f"There are only {asked.documents} documents: every interval rests on few.")
    if asked.dominated:
        said.append(
            f"One document holds {asked.largest_share:.0%} of the questions: the intervals are "
            "about new documents, and weigh it like one of them."
        )
    return " ".join(said) or None


def too_few(found: Selection) -> str | None:
    """Say that the documents are too few to tell the two best candidates apart.

    None where they are told apart, where a difference as small as the margin would be found, or
    where there is nothing to compare.
    """
    leader, least = found.leader, found.smallest_detectable
    others = [name for name in found.candidates if name != leader]
    if leader is None or not others or (least is not None and least <= found.rule.margin):
        return None
    # candidates stand in the order of their rank
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
            said += f", and a true difference of {number(least)} is found four times in five"
    if asked.folds:
        return f"{said}; more documents are needed."
    return f"{said}. `{FOLDS}` compares on all questions; {PRICE}."


def detectable(found: Selection) -> str | None:
    """Say which difference would be found; None where there is nothing to compare."""
    least, label = found.smallest_detectable, METRIC_NAMES[found.metric]
    if least is None or found.leader is None:
        return None
    most = found.score(found.leader).value
    if least >= most:
        return (
            "Nothing can be told apart with these documents: not even a true difference in "
            f"{label} of {number(most)} would be found four times in five."
        )
    return f"A true difference in {label} of {number(least)} is found four times in five."


def budgets(found: Selection) -> str | None:
    """Say that the candidates were not given the same; None if they were."""
    if not found.unequal:
        return None
    each = "; ".join(
        f"{one.setting} {', '.join(f'{value} ({name})' for name, value in one.values.items())}"
        for one in found.unequal
    )
    return f"Unequal budgets: the candidates were not trained with the same settings ({each})."


def notes(found: Selection) -> list[str]:
    """Say what every reader of the choice has to know beside its reason."""
    said: list[str | None] = [
        weakness(found),
        too_few(found),
        correction(found),
        cost_say(found),
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
            f"Each score is the mean of {found.questions.seeds} seeds, whose noise is in the "
            f"bounds: recipes are compared, and the model for production is that of seed "
            f"{found.method.seed}."
        )
    return [each for each in said if each is not None]
