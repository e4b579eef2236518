"""What an answer is: greedy, whatever a model's own settings say, up to any of its ends."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.architectures import save_base, tiny
from tests.support.commands import ROOT
from tests.unit.modeling.test_tensors import draw

pytestmark = pytest.mark.slow

NEW_TOKENS = 8
WAYS: tuple[Any, ...] = ("shared", "padded", "single")


def test_every_end_ends_an_answer() -> None:
    """The tokenizer's and those that the model names, as generate does; in each way."""
    import torch
    from transformers import GenerationConfig

    from vestibular.modeling.answers import end_tokens
    from vestibular.modeling.generation import answer_questions

    model = tiny("llama")
    questions = draw(12, seed=5)
    model.generation_config = GenerationConfig()
    unending = answer_questions(model, questions, (), NEW_TOKENS, 1, "single")
    assert all(answer.is_cut and len(answer.tokens) == NEW_TOKENS for answer in unending)
    # the turn's end of a chat model: a token that answers really hold
    turn = unending[0].tokens[3]
    model.generation_config = GenerationConfig(eos_token_id=[2, turn], pad_token_id=0)
    ends = end_tokens(SimpleNamespace(eos_token_id=7), model)
    assert ends == tuple(sorted({2, 7, turn}))
    expected = []
    for question in questions:
        ids = torch.tensor([question.prompt])
        output = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=list(ends),
        )
        said = output[0, ids.shape[1] :].tolist()
        expected.append(tuple(said[:-1] if said[-1] in ends else said))
    assert any(len(said) < NEW_TOKENS for said in expected)
    for way in WAYS:
        answers = answer_questions(model, questions, ends, NEW_TOKENS, 1000, way)
        assert [answer.tokens for answer in answers] == expected
        assert [answer.is_cut for answer in answers] == [
            len(said) == NEW_TOKENS for said in expected
        ]


def test_a_models_own_way_of_generating_does_not_count(tmp_path: Path) -> None:
    """Sampling, penalties, forced and suppressed tokens in its file change no answer.

    Such a file cannot be written again by transformers; the model is saved without it.
    """
    import torch

    from vestibular.modeling.generation import answer_questions
    from vestibular.modeling.models import load_base

    base = tmp_path / "base"
    save_base("llama", base, ROOT / "demo/bases/gpt2-tiny")
    device = torch.device("cpu")
    questions = draw(10, seed=5)
    plain = load_base(base, "none", device, torch.float32).eval()
    right = answer_questions(plain, questions, (0,), NEW_TOKENS, 1, "single")
    own = {"temperature": 0.9, "top_p": 0.6, "repetition_penalty": 3.0, "eos_token_id": [0, 5]}
    own |= {"suppress_tokens": list({answer.tokens[0] for answer in right}), "num_beams": 3}
    (base / "generation_config.json").write_text(json.dumps(own), encoding="utf-8")
    model = load_base(base, "none", device, torch.float32).eval()
    assert model.generation_config.eos_token_id == [0, 5]
    for way in WAYS:
        answers = answer_questions(model, questions, (0,), NEW_TOKENS, 1000, way)
        assert [answer.tokens for answer in answers] == [answer.tokens for answer in right]
    # as after a training of all weights
    model.save_pretrained(tmp_path / "saved")
    kept = json.loads((tmp_path / "saved/generation_config.json").read_text(encoding="utf-8"))
    assert kept["eos_token_id"] == [0, 5]
    assert "temperature" not in kept


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["gpt2", "gemma3_text"])
def test_recorded_probabilities_are_the_models(name: str, way: Any) -> None:
    """Of each token and of the end, as one whole forward pass gives them."""
    import torch

    from vestibular.modeling.generation import answer_questions

    model = tiny(name)
    questions = draw(6, seed=5)
    for question, answer in zip(
        questions, answer_questions(model, questions, (2,), NEW_TOKENS, 1000, way), strict=True
    ):
        said = [*answer.tokens, 2][: len(answer.log_probabilities)]
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([[*question.prompt, *said]])).logits[0]
        steps = logits[len(question.prompt) - 1 : -1].log_softmax(-1)
        expected = [float(step[token]) for step, token in zip(steps, said, strict=True)]
        assert list(answer.log_probabilities) == pytest.approx(expected, abs=1e-4)
