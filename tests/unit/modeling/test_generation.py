"""Batched answers against one-at-a-time greedy decoding by transformers itself."""

import copy
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.support.architectures import SHAPES
from tests.unit.modeling.test_tensors import draw
from vestibular.modeling import prompt_reading
from vestibular.modeling.drafting import LookUp, guesses_a_row, taken
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
def test_answers_equal_one_at_a_time(
    tiny_model: Callable[[str], Any], shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 questions, token for token, whatever the size of a batch; some answers end early."""
    model = tiny_model(shape)
    questions = draw(100)[:200]
    expected = [one_at_a_time(model, question) for question in questions]
    assert len({tuple(answer) for answer in expected}) > len(expected) / 4
    # rests of one context a pass, of some, of all
    for together in (1, 60, sys.maxsize):
        monkeypatch.setattr(prompt_reading, "TOKENS_ON_CPU", together)
        for count, max_tokens in ((25, 1), (200, 300), (200, 100_000)):
            answers = answer_questions(
                model, questions[:count], (END,), NEW_TOKENS, max_tokens, "shared"
            )
            assert [list(answer.tokens) for answer in answers] == expected[:count], together


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


def test_what_the_prompt_says_is_guessed_and_the_answers_stay(
    tiny_model: Callable[[str], Any],
) -> None:
    """A model that looks at the last token alone, asked with prompts that hold its answers."""
    model = copy.deepcopy(tiny_model("gpt2"))
    with torch.no_grad():
        model.transformer.wpe.weight.zero_()
        for block in model.transformer.h:
            block.attn.c_proj.weight.zero_()
            block.attn.c_proj.bias.zero_()
    asked = draw(20)[:20]
    said = [tuple(one_at_a_time(model, question)) for question in asked]
    holding = [
        EncodedQuestion(str(place), question.prompt[-1:] + answer + question.prompt, (), "", False)
        for place, (question, answer) in enumerate(zip(asked, said, strict=True))
    ]
    passes = 0

    def count(*_: Any) -> None:
        nonlocal passes
        passes += 1

    hook = model.register_forward_pre_hook(count)
    answers = answer_questions(model, holding, (END,), NEW_TOKENS, 1, "shared")
    hook.remove()
    assert [answer.tokens for answer in answers] == said
    tokens = sum(len(answer.log_probabilities) for answer in answers)
    # the prompt, the first token, and seven guesses at a time
    assert tokens > 100
    assert passes < tokens / 2
    for question, answer in zip(holding, answers, strict=True):
        ids = torch.tensor([[*question.prompt, *answer.tokens]])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, len(question.prompt) - 1 :]
        likeliest = logits.log_softmax(-1).amax(-1).tolist()[: len(answer.log_probabilities)]
        assert answer.log_probabilities == pytest.approx(likeliest, abs=1e-4)


def test_a_guess_is_what_followed_the_longest_known_end() -> None:
    """Three tokens count before two and one; nothing is guessed beyond the prompt's end."""
    look_up = LookUp((1, 2, 3, 9, 5, 2, 3, 7, 8))
    assert look_up.guess((5, 2, 3), 2) == (7, 8)
    assert look_up.guess((4, 2, 3), 2) == (9, 5)
    assert look_up.guess((4, 4, 7), 5) == (8,)
    assert look_up.guess((6,), 3) == ()


@pytest.mark.parametrize(
    ("said", "guessed", "sure"),
    [
        ((4, 5, 6), (4, 5), [4, 5, 6]),
        ((4, 5, 6), (4, 6), [4, 5]),
        ((4, 5, 6), (3, 5), [4]),
        ((4, END, 6), (4, END), [4, END]),
        ((4, 5, 6), (4,), [4, 5]),
        ((4,), (), [4]),
    ],
)
def test_a_token_is_sure_if_all_before_it_were_guessed(
    said: tuple[int, ...], guessed: tuple[int, ...], sure: list[int]
) -> None:
    """A row with fewer guesses than the widest one has padding behind them."""
    assert taken(said, guessed, (END,)) == sure


def test_few_rows_are_guessed_for() -> None:
    """A pass has at most 32 tokens then."""
    assert [guesses_a_row(rows) for rows in (1, 4, 5, 10, 16, 17, 33)] == [7, 7, 5, 2, 1, 0, 0]
