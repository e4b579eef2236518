"""A question in a shared row learns what it would learn alone."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.support.architectures import SHAPES
from vestibular.core.errors import BaseModelError
from vestibular.modeling import tensors
from vestibular.modeling.batching import by_length, rows
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.training.adapters import add_adapter
from vestibular.training.settings import LoraSettings

pytestmark = pytest.mark.slow

LORA = LoraSettings(r=4, alpha=8, dropout=0.0, target_modules="auto")
TOLERANCE = 1e-5


def draw(contexts: int, seed: int = 0, longest: int = 60) -> list[EncodedQuestion]:
    """Questions of random tokens, one to four on each context, that one of 10 to `longest`."""
    source = random.Random(seed)

    def tokens(low: int, high: int) -> tuple[int, ...]:
        return tuple(source.randrange(3, 151) for _ in range(source.randint(low, high)))

    return [
        EncodedQuestion(
            f"{context}-{place}", prefix + tokens(2, 6), (*tokens(1, 5), 2), str(context), False
        )
        for context, prefix in enumerate(tokens(10, longest) for _ in range(contexts))
        for place in range(source.randint(1, 4))
    ]


def loss_and_gradients(
    model: Any, questions: list[EncodedQuestion], batching: Any, max_tokens: int
) -> tuple[float, torch.Tensor]:
    """The mean loss of a step, and the gradient of every adapter weight in one vector."""
    model.zero_grad()
    total = torch.zeros(())
    labels = sum(len(question.answer) for question in questions)
    for group in by_length(rows(questions, batching, "answer", max_tokens), max_tokens):
        loss = tensors.label_loss(model, tensors.collate(group)) / labels
        loss.backward()
        total += loss.detach()
    gradients = [p.grad.flatten() for p in model.parameters() if p.requires_grad]
    return float(total), torch.cat(gradients)


def adapted(tiny_model: Callable[[str], Any], shape: str) -> Any:
    """A model whose adapter already does something; half the gradients of a new one are 0."""
    model = add_adapter(tiny_model(shape), LORA, "none")
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.normal_(0, 0.1)
    return model


def test_options_that_exclude_each_other_are_refused(tiny_model: Callable[[str], Any]) -> None:
    """In peft's own words, with the place in the settings."""
    lora = LORA.model_copy(
        update={"target_modules": "all-linear", "options": {"layers_to_transform": [0]}}
    )
    with pytest.raises(BaseModelError, match=r"train\.lora: .*layers_to_transform"):
        add_adapter(tiny_model("gpt2"), lora, "none")


@pytest.mark.parametrize("shape", SHAPES)
def test_shared_rows_give_the_loss_and_gradients_of_single_questions(
    tiny_model: Callable[[str], Any], shape: str
) -> None:
    """In float32 both agree within 1e-5 with one question at a time, for every architecture."""
    model = adapted(tiny_model, shape)
    questions = draw(6)
    alone = [loss_and_gradients(model, [question], "padded", 1000) for question in questions]
    labels = [len(question.answer) for question in questions]
    loss = sum(n * one for n, (one, _) in zip(labels, alone, strict=True)) / sum(labels)
    gradients = sum(n * one for n, (_, one) in zip(labels, alone, strict=True)) / sum(labels)
    for batching in ("shared_context", "padded"):
        for max_tokens in (90, 1000):
            got_loss, got = loss_and_gradients(model, questions, batching, max_tokens)
            assert got_loss == pytest.approx(loss, rel=TOLERANCE)
            assert (got - gradients).norm() <= TOLERANCE * gradients.norm()


def test_labels_are_the_answers_and_their_ends() -> None:
    """What is learned is each answer's tokens, the end last; padding and prompts never."""
    questions = draw(5)
    for batching in ("shared_context", "padded"):
        laid_out = rows(questions, batching, "answer", 1000)
        inputs = tensors.collate(laid_out)
        answers = sorted(token for question in questions for token in question.answer)
        assert sorted(inputs["labels"].tolist()) == answers
        # the token after each place is the one that is learned there
        following = inputs["input_ids"][inputs["label_rows"], inputs["label_columns"] + 1]
        assert torch.equal(following, inputs["labels"])


def test_the_head_runs_on_the_labels_alone(tiny_model: Callable[[str], Any]) -> None:
    """The output head gets as many rows as there are labels, and gives the same logits."""
    model = tiny_model("gpt2")
    inputs = tensors.collate(rows(draw(3), "padded", "answer", 1000))
    places = inputs["label_rows"], inputs["label_columns"]
    with torch.no_grad():
        logits, _ = tensors.logits_at(model, *places, input_ids=inputs["input_ids"])
        whole = model(input_ids=inputs["input_ids"]).logits[places]
    assert logits.shape == whole.shape
    assert torch.allclose(logits, whole, atol=1e-5)
