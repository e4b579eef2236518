"""Batched answers against one-at-a-time greedy decoding by transformers itself."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_tensors import draw

from tests.support.architectures import SHAPES
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.generation import answer_questions

pytestmark = pytest.mark.slow

END = 2
NEW_TOKENS = 12


def one_at_a_time(model: Any, question: EncodedQuestion) -> list[int]:
    """The answer that `generate` gives to a single question, its end left off."""
    ids = torch.tensor([question.prompt])
    with torch.inference_mode():
        output = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            eos_token_id=END,
            pad_token_id=0,
        )[0, ids.shape[1] :].tolist()
    return output[: output.index(END)] if END in output else output


@pytest.mark.parametrize("shape", SHAPES)
def test_answers_equal_one_at_a_time(tiny_model: Callable[[str], Any], shape: str) -> None:
    """200 questions, token for token, whatever the size of a batch; some answers end early."""
    model = tiny_model(shape)
    questions = draw(100)[:200]
    expected = [one_at_a_time(model, question) for question in questions]
    assert len({tuple(answer) for answer in expected}) > len(expected) / 4
    for count, max_tokens in ((25, 1), (200, 300), (200, 100_000)):
        answers = answer_questions(
            model, questions[:count], (END,), NEW_TOKENS, max_tokens, "shared"
        )
        assert [list(answer.tokens) for answer in answers] == expected[:count]


def test_the_log_probability_is_the_models(tiny_model: Callable[[str], Any]) -> None:
    """The mean over the answer's tokens, computed anew from one whole forward pass."""
    model = tiny_model("gpt2")
    (question,) = draw(1, seed=3)[:1]
    (answer,) = answer_questions(model, [question], (END,), NEW_TOKENS, 1000, "shared")
    said = [*answer.tokens, END][:NEW_TOKENS]
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([[*question.prompt, *said]])).logits[0]
    steps = logits[len(question.prompt) - 1 : -1].log_softmax(-1)
    expected = steps[range(len(said)), said].mean().item()
    assert answer.mean_log_probability == pytest.approx(expected, abs=1e-4)


def test_questions_without_anything_in_common(tiny_model: Callable[[str], Any]) -> None:
    """Prompts of one context that differ from the first token on are answered too."""
    model = tiny_model("opt")
    prompts = [(5, 6, 7), (8, 9), (10,)]
    questions = [EncodedQuestion(str(p), p, (), "same", False) for p in prompts]
    answers = answer_questions(model, questions, (END,), NEW_TOKENS, 1000, "shared")
    expected = [one_at_a_time(model, question) for question in questions]
    assert [list(answer.tokens) for answer in answers] == expected


@pytest.mark.parametrize("shape", ["gpt2", "opt"])
def test_prompts_that_fill_the_model(tiny_model: Callable[[str], Any], shape: str) -> None:
    """Beside a long question a short one is padded, yet no position passes the model's last."""
    model = tiny_model(shape)
    room = model.config.max_position_embeddings - NEW_TOKENS
    prompts = [(4, *range(40, 100)), (4, *range(50, 110)), tuple(p % 140 + 3 for p in range(room))]
    questions = [
        EncodedQuestion(str(place), prompt, (), str(place // 2), False)
        for place, prompt in enumerate(prompts)
    ]
    answers = answer_questions(model, questions, (END,), NEW_TOKENS, 100_000, "shared")
    expected = [one_at_a_time(model, question) for question in questions]
    assert [list(answer.tokens) for answer in answers] == expected
