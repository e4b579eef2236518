"""Greedy answers in three ways: by the library, singly or in batches, or sharing contexts.

Which ways give the same answers as one question at a time is determined for each architecture in
`capability.py`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from vestibular.modeling.answers import Answer, Watch, Way
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.sharing import answer_sharing
from vestibular.modeling.vocabulary import vocabulary_in_parts


class _Recorder(LogitsProcessor):
    """Records the score of each row's most likely token at each step, and changes nothing."""

    def __init__(self, watch: Callable[[Tensor], object]) -> None:
        self._watch = watch
        self.steps: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Record one step's `scores`, (rows, vocabulary)."""
        self._watch(scores)
        self.steps.append(scores.float().log_softmax(dim=-1).max(dim=-1).values)
        return scores


def generate_answers(
    model: Any,
    prompts: Sequence[tuple[int, ...]],
    ends: Collection[int],
    max_new_tokens: int,
    watch: Callable[[Tensor], object] = lambda logits: None,
) -> list[Answer]:
    """Generate answers to a batch of prompts with the library, padded on the left."""
    width = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), width), _padding(model), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt, dtype=torch.long)
        mask[row, width - len(prompt) :] = 1
    recorder = _Recorder(watch)
    configuration = GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=max_new_tokens,
        eos_token_id=sorted(ends),
        pad_token_id=_padding(model),
    )
    output = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        generation_config=configuration,
        logits_processor=LogitsProcessorList([recorder]),
    )
    gained = torch.stack(recorder.steps, dim=1).tolist()
    answers = []
    for said, gains in zip(output[:, width:].tolist(), gained, strict=True):
        length = next((place for place, token in enumerate(said) if token in ends), len(said))
        answers.append(Answer(tuple(said[:length]), tuple(gains[: length + 1])))
    return answers


def _padding(model: Any) -> int:
    """Return the padding token; some models treat their own padding token as no token at all."""
    text = model.config.get_text_config(decoder=True)
    own = getattr(text, "pad_token_id", None)
    return own if isinstance(own, int) and 0 <= own < text.vocab_size else 0


def answer_questions(
    model: Any,
    questions: Sequence[EncodedQuestion],
    ends: Collection[int],
    max_new_tokens: int,
    max_tokens: int,
    way: Way,
    on_answered: Callable[[int], object] = lambda count: None,
    watch: Watch = lambda places, logits: None,
) -> list[Answer]:
    """Answer every question greedily, in the given order.

    Args:
        model: a causal language model in evaluation mode.
        questions: the encoded prompts.
        ends: the ids of the tokens that end an answer.
        max_new_tokens: maximum length of an answer, in tokens.
        max_tokens: maximum number of tokens of prompts and answers in memory, with padding.
        way: the way of answering.
        on_answered: called with the size of each batch after it is answered.
        watch: called with the logits of every step.
    """
    answers: dict[int, Answer] = {}
    with torch.inference_mode(), vocabulary_in_parts(model):
        if way == "shared":
            return answer_sharing(
                model, questions, ends, max_new_tokens, max_tokens, on_answered, watch
            )
        budget = max_tokens if way == "padded" else 0
        for places in _similar(questions, max_new_tokens, budget):
            given = generate_answers(
                model,
                [questions[place].prompt for place in places],
                ends,
                max_new_tokens,
                lambda logits, places=places: watch(places, logits),  # type: ignore[misc]
            )
            answers.update(zip(places, given, strict=True))
            on_answered(len(places))
    return [answers[place] for place in range(len(questions))]


def _similar(
    questions: Sequence[EncodedQuestion], max_new_tokens: int, max_tokens: int
) -> Iterator[list[int]]:
    """Group the questions' positions by length, the longest first, within the token budget."""
    order = sorted(range(len(questions)), key=lambda place: -len(questions[place].prompt))
    batch: list[int] = []
    for place in order:
        if batch:
            width = len(questions[batch[0]].prompt) + max_new_tokens
            if width * (len(batch) + 1) > max_tokens:
                yield batch
                batch = []
        batch.append(place)
    if batch:
        yield batch
