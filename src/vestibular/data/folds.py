"""Assignment of documents to the folds of a cross-validation."""

from collections.abc import Mapping, Sequence

from vestibular.core.errors import DataError, ParamsError
from vestibular.core.paths import PARAMS
from vestibular.core.questions import Question
from vestibular.core.repeats import HeldOut, Repeat
from vestibular.data.leaks import LeakAudit, joined_documents


def plan_repeats(
    questions: Mapping[str, Sequence[Question]],
    folds: Sequence[str],
    seeds: Sequence[str],
    seed: int,
) -> dict[str, Repeat]:
    """Return the plan of each repeat, by name.

    Args:
        questions: the prepared questions by split.
        folds: names of the folds, in order.
        seeds: names of the trainings with another seed.
        seed: the settings' own seed.

    Raises:
        ParamsError: there are fewer documents than folds.
    """
    trained = len(questions["train"])
    together = [*questions["train"], *questions["validation"]]
    fold_of = deal_folds(together, len(folds))
    audit = LeakAudit(together if folds else [])
    repeats = {}
    for number, name in enumerate(folds, start=1):
        places = [place for place, fold in enumerate(fold_of) if fold == number]
        learned = [place for place, fold in enumerate(fold_of) if fold != number]
        given_away = audit.between(learned, places).validation
        repeats[name] = Repeat(
            seed=seed,
            held_out=HeldOut(
                train=tuple(place for place in places if place < trained),
                validation=tuple(place - trained for place in places if place >= trained),
                leaked=tuple(n for n, place in enumerate(places) if place in given_away),
            ),
        )
    for name in seeds:
        repeats[name] = Repeat(seed=int(name.removeprefix("seed-")), held_out=None)
    return repeats


def count_leaks_between(repeats: Mapping[str, Repeat], action: str) -> int:
    """Return how many questions have answers that questions of other folds reveal.

    Args:
        repeats: plans by `plan_repeats`.
        action: `data.leaks`.

    Raises:
        DataError: there are some, and leaks are errors.
    """
    held_out = [repeat.held_out for repeat in repeats.values() if repeat.held_out is not None]
    count = sum(len(each.leaked) for each in held_out)
    if count and action == "fail":
        raise DataError(
            f"{PARAMS}: data.leaks: fail: questions of other folds reveal the answers to {count} "
            "questions; write report to only count them"
        )
    return count


def deal_folds(questions: Sequence[Question], count: int) -> list[int]:
    """Return each question's fold, from 1 to `count`; a document is in one fold only.

    Documents that share text count as one, so that no fold's contexts are learned in another.

    Documents are assigned by size, the largest first, each to the fold with the fewest questions so
    far: the folds become about equal, without randomness. With `count` 0 all are in fold 0.

    Raises:
        ParamsError: there are fewer documents than folds.
    """
    if count == 0:
        return [0 for _ in questions]
    documents = joined_documents(questions)
    sizes = [0] * (max(documents) + 1)
    for document in documents:
        sizes[document] += 1
    if len(sizes) < count:
        raise ParamsError(
            f"{PARAMS}: repeats: {count} folds need at least {count} documents; there are "
            f"{len(sizes)}, where documents that share text count as one"
        )
    filled = [0] * count
    fold_of = {}
    for document in sorted(range(len(sizes)), key=lambda document: (-sizes[document], document)):
        fold = filled.index(min(filled))
        filled[fold] += sizes[document]
        fold_of[document] = fold + 1
    return [fold_of[document] for document in documents]
