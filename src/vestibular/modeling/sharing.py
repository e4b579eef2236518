"""Greedy answers with each context encoded once for all its questions.

The prefix shared by the questions of a context goes through the model once (`prompt_reading.py`).
Finished rows leave the batch; once few are left, several tokens are guessed at a time
(`drafting.py`). The answers equal those of one question at a time if a token depends on others only
through attention and position.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from torch import Tensor

from vestibular.modeling.answers import Answer, Watch
from vestibular.modeling.decoding import GrowingAnswer
from vestibular.modeling.drafting import taken
from vestibular.modeling.encoding import EncodedQuestion, shared_prefix
from vestibular.modeling.prompt_reading import SplitPrompt, read_prompts

ROWS_ON_CPU = 48
"""Maximum number of questions per pass on a CPU: beyond it a question gets no cheaper, and rows of
different length are padded."""


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
) -> Iterator[list[SplitPrompt]]:
    """Group questions within the token budget, the longest first, contexts kept together."""
    contexts: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        contexts.setdefault(question.context, []).append(place)
    groups = []
    for places in contexts.values():
        prompts = [questions[place].prompt for place in places]
        prefix = shared_prefix(prompts)
        groups.append(
            [
                SplitPrompt(place, prompt[:prefix], prompt[prefix:])
                for place, prompt in zip(places, prompts, strict=True)
            ]
        )
    groups.sort(key=lambda group: len(group[0].prefix), reverse=True)
    # equal sizes, so that no pass is left with a few questions
    passes = max(1, math.ceil(len(questions) / most_rows))
    share = math.ceil(len(questions) / passes)
    batch: list[SplitPrompt] = []
    for each in (asked for group in groups for asked in group):
        grown = [*batch, each]
        width = max(len(one.prefix) for one in grown) + max(len(one.rest) for one in grown)
        full = len(batch) == share or (width + max_new_tokens) * len(grown) > max_tokens
        if batch and full:
            yield batch
            grown = [each]
        batch = grown
    if batch:
        yield batch


def _answer_batch(
    model: Any,
    batch: Sequence[SplitPrompt],
    ends: Collection[int],
    max_new_tokens: int,
    watch: Watch,
) -> dict[int, Answer]:
    texts = {
        asked.place: GrowingAnswer(asked.prefix + asked.rest, ends, max_new_tokens)
        for asked in batch
    }
    rows, logits = read_prompts(model, batch, max_new_tokens)
    logits = logits[:, None]
    guesses: list[tuple[int, ...]] = [()] * len(batch)
    while True:
        counts = _take(logits, [texts[place] for place in rows.places], guesses, ends)
        for column in range(max(counts)):
            right = [row for row, count in enumerate(counts) if count > column]
            # usually all of them: copying their logits would cost as much as the argmax
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
    """Append the confirmed most likely tokens to each row's text; return their numbers.

    Args:
        logits: logits after each row's last confirmed token and its guesses, (rows, tokens,
            vocabulary).
        texts: the rows' texts.
        guesses: the rows' guesses.
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
