"""Deals the documents out to the folds of a cross-validation."""

from collections.abc import Mapping, Sequence

from vestibular.core.documents import document_numbers
from vestibular.core.errors import ParamsError
from vestibular.core.layout import PARAMS
from vestibular.core.questions import Question
from vestibular.core.repeats import HeldOut, Repeat


def plan_repeats(
    questions: Mapping[str, Sequence[Question]],
    folds: Sequence[str],
    seeds: Sequence[str],
    seed: int,
) -> dict[str, Repeat]:
    """Return what each repeat changes, by its name.

    Args:
        questions: the prepared questions by split.
        folds: names of the folds, in their order.
        seeds: names of the trainings with another seed.
        seed: the settings' own seed.

    Raises:
        ParamsError: there are fewer documents than folds.
    """
    trained = len(questions["train"])
    fold_of = deal_folds([*questions["train"], *questions["validation"]], len(folds))
    repeats = {}
    for number, name in enumerate(folds, start=1):
        places = [place for place, fold in enumerate(fold_of) if fold == number]
        repeats[name] = Repeat(
            seed=seed,
            held_out=HeldOut(
                train=tuple(place for place in places if place < trained),
                validation=tuple(place - trained for place in places if place >= trained),
            ),
        )
    for name in seeds:
        repeats[name] = Repeat(seed=int(name.removeprefix("seed-")), held_out=None)
    return repeats


def deal_folds(questions: Sequence[Question], count: int) -> list[int]:
    """Return each question's fold, from 1 to `count`; a document is in one fold alone.

    Documents are dealt out by size, the largest first, each to the fold with the fewest
    questions so far: the folds come out about equal, and nothing is drawn. `count` 0 puts all
    into fold 0.

    Raises:
        ParamsError: there are fewer documents than folds.
    """
    documents = document_numbers(questions)
    sizes = [0] * (max(documents) + 1)
    for document in documents:
        sizes[document] += 1
    if count == 0:
        return [0 for _ in questions]
    if len(sizes) < count:
        raise ParamsError(
            f"{PARAMS}: repeats: {count} folds need as many documents; there are {len(sizes)}"
        )
    filled = [0] * count
    fold_of = {}
    for document in sorted(range(len(sizes)), key=lambda document: (-sizes[document], document)):
        fold = filled.index(min(filled))
        filled[fold] += sizes[document]
        fold_of[document] = fold + 1
    return [fold_of[document] for document in documents]
