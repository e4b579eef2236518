"""From questions to tokens."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibular.encoding import encode_for_training, encode_prompt, render
from vestibular.errors import DataError
from vestibular.params import PromptSettings, load_params
from vestibular.questions import Question, audit_documents
from vestibular.squad import read_squad

PROMPT = load_params(Path(__file__).parents[1] / "params.yaml").prompt
SHORT = PromptSettings(template="C {context} Q {question} A", answer_prefix=" ")


class Letters:
    """A tokenizer with one token a letter."""

    eos_token_id = 0

    def __call__(self, text: str, add_special_tokens: bool = True) -> Any:
        return {"input_ids": [ord(letter) for letter in text]}


def asked(context: str, question: str, answer: str) -> Question:
    return Question("1", "t", context, question, (answer,), (context.find(answer),))


def test_braces_in_texts_mean_nothing() -> None:
    """A context that holds a placeholder is left as it is."""
    text = render(SHORT, "a {question} b {context}", "q {context}?")
    assert text == "C a {question} b {context} Q q {context}? A"
    flipped = PromptSettings(template="{question}|{context}", answer_prefix="")
    assert render(flipped, "c {question}", "q {context}") == "q {context}|c {question}"


@given(st.integers(0, 80), st.integers(1, 8), st.integers(25, 120))
def test_a_long_context_is_cut_around_the_answer(before: int, length: int, limit: int) -> None:
    """Question and answer stay whole, the answer stays in the context, nothing fits better."""
    answer = "X" * length
    question = asked("a" * before + answer + "b" * 40, "qu?", answer)
    encoded = encode_for_training(Letters(), SHORT, question, limit)
    assert encoded.length <= limit
    assert encoded.answer == (*map(ord, " " + answer), 0)
    text = "".join(map(chr, encoded.prompt))
    assert text == render(SHORT, encoded.context, "qu?")
    assert encoded.context in question.context
    assert encoded.shortened == (encoded.context != question.context)
    room = limit - len(encoded.answer) - len(render(SHORT, "", "qu?"))
    assert len(encoded.context) == min(room, len(question.context))
    if room >= length:
        assert answer in encoded.context


def test_without_an_answer_the_end_is_cut() -> None:
    """In the exam nobody knows where the answer stands: the context loses its end."""
    ids, shown = encode_prompt(Letters(), SHORT, "abcdef", "q", limit=len("C  Q q A") + 4)
    assert shown == "abcd"
    assert len(ids) == len("C  Q q A") + 4


def test_a_question_that_cannot_fit_is_refused() -> None:
    """The question is never cut."""
    with pytest.raises(DataError, match="even without a context"):
        encode_prompt(Letters(), SHORT, "abc", "q" * 50, limit=20)


def test_faquads_prompts_with_gpt2(faquad: Path, gpt2_tokenizer: Any) -> None:
    """FaQuAD's training prompts with their answers: mean 369 tokens, 95 % 538, longest 810."""
    path = faquad / "train.json"
    questions, _ = audit_documents(read_squad(path), path)
    encoded = [encode_for_training(gpt2_tokenizer, PROMPT, q, 1024) for q in questions]
    lengths = [question.length for question in encoded]
    assert round(np.mean(lengths)) == 369
    assert round(np.percentile(lengths, 95)) == 538
    assert max(lengths) == 810
    assert not any(question.shortened for question in encoded)
    assert all(question.answer[-1] == gpt2_tokenizer.eos_token_id for question in encoded)
    # what the model should write after the prompt reads as the answer itself
    for question, row in zip(encoded, questions, strict=True):
        assert gpt2_tokenizer.decode(question.answer[:-1]) == " " + row.answers[0]
