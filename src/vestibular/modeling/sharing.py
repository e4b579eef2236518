"""Greedy answers, a context encoded once for all its questions.

The trunk that the questions of a context share goes through the model once (`prompt_reading.py`).
Rows that have ended leave the batch; once few are left, several tokens are guessed at a time
(`drafting.py`). The answers are those of one question at a time wherever a token's attention and
position are all that it takes from the others.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from torch import Tensor

from vestibular.modeling.answers import Answer, Watch
from vestibular.modeling.decoding import GrowingAnswer
from vestibular.modeling.drafting import taken
from vestibular.modeling.encoding import EncodedQuestion, shared_prefix
from vestibular.modeling.prompt_reading import Asked, read_prompts

ROWS_ON_CPU = 48
"""Most questions of a pass on a CPU: with more a question gets no cheaper, and rows of less similar
length are padded."""


def answer_sharing(
    model: Any,
    questions: Sequence[EncodedQuestion],
    ends: Collection[int],
    max_new_tokens: int,
    max_tokens: int,
    on_answered: Callable[[int], object],
    watch: Watch,
) -> list[Answer]:
    """Answer every question greedily; see `generation.answer_questions`."""
    answers: dict[int, Answer] = {}
    most_rows = ROWS_ON_CPU if model.device.type == "cpu" else max(1, len(questions))
    for batch in _batches(questions, max_new_tokens, max_tokens, most_rows):
        answers.update(_answer_batch(model, batch, ends, max_new_tokens, watch))
        on_answered(len(batch))
    return [answers[place] for place in range(len(questions))]


def _batches(
    questions: Sequence[EncodedQuestion], max_new_tokens: int, max_tokens: int, most_rows: int
) -> Iterator[list[Asked]]:
    """Group questions, those of a context together, the longest first, under the token budget."""
    contexts: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        contexts.setdefault(question.context, []).append(place)
    groups = []
    for places in contexts.values():
        prompts = [questions[place].prompt for place in places]
        trunk = shared_prefix(prompts)
        groups.append(
            [
                Asked(place, prompt[:trunk], prompt[trunk:])
                for place, prompt in zip(places, prompts, strict=True)
            ]
        )
    groups.sort(key=lambda group: len(group[0].trunk), reverse=True)
    # as many in each, so that no pass is for a few that were left over
    passes = max(1, math.ceil(len(questions) / most_rows))
    share = math.ceil(len(questions) / passes)
    batch: list[Asked] = []
    for each in (asked for group in groups for asked in group):
        grown = [*batch, each]
        width = max(len(one.trunk) for one in grown) + max(len(one.rest) for one in grown)
        full = len(batch) == share or (width + max_new_tokens) * len(grown) > max_tokens
        if batch and full:
            yield batch
            grown = [each]
        batch = grown
    if batch:
        yield batch


def _answer_batch(
    model: Any, batch: Sequence[Asked], ends: Collection[int], max_new_tokens: int, watch: Watch
) -> dict[int, Answer]:
    texts = {
        asked.place: GrowingAnswer(asked.trunk + asked.rest, ends, max_new_tokens)
        for asked in batch
    }
    rows, logits = read_prompts(model, batch, max_new_tokens)
    logits = logits[:, None]
    guesses: list[tuple[int, ...]] = [()] * len(batch)
    while True:
        counts = _take(logits, [texts[place] for place in rows.places], guesses, ends)
        for column in range(max(counts)):
            right = [row for row, count in enumerate(counts) if count > column]
            # mostly all of them: a copy of their logits would cost as much as finding the likeliest
            said = logits[:, column] if len(right) == len(counts) else logits[right, column]
            watch([rows.places[row] for row in right], said)
        rows.settle(counts)
        going = [row for row, place in enumerate(rows.places) if not texts[place].is_over]
        if not going:
            return {place: text.answer() for place, text in texts.items()}
        if len(going) < len(rows.places):
            rows.keep(going)
        most = rows.most_guesses
        guesses = [texts[place].guess(most) if most else () for place in rows.places]
        logits = rows.read([texts[place].last for place in rows.places], guesses)


def _take(
    logits: Tensor,
    texts: Sequence[GrowingAnswer],
    guesses: Sequence[tuple[int, ...]],
    ends: Collection[int],
) -> list[int]:
    """Add to each row's text the likeliest tokens that are sure; return how many those are.

    Args:
        logits: behind each row's last sure token and its guesses, (rows, tokens, vocabulary).
        texts: the rows'.
        guesses: the rows'.
        ends: the tokens that end an answer.
    """
    said = logits.argmax(dim=-1)
    gained = logits.float().log_softmax(dim=-1).gather(2, said[:, :, None])[:, :, 0]
    counts = []
    for text, guess, tokens, gains in zip(
        texts, guesses, said.tolist(), gained.tolist(), strict=True
    ):
        sure = taken(tokens, guess, ends)
        text.add(sure, gains)
        counts.append(len(sure))
    return counts
