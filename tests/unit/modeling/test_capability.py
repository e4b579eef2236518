"""Every mechanism is taught and asked in a way that equals one question at a time, or refused.

The references are transformers' own: `generate` for answers, a forward pass over prompt and answer
for logits, `labels` for the loss, each with a single question and nothing but its tokens.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.architectures import CONFIGURATIONS, EXPECTED, VOCABULARY, configuration, tiny
from tests.unit.modeling.test_generation import one_at_a_time
from tests.unit.modeling.test_tensors import draw
from vestibular.core.errors import BaseModelError
from vestibular.modeling import capability, equivalence, prompt_reading, proving, tensors
from vestibular.modeling.attention import Reach
from vestibular.modeling.caching import BufferedLayer
from vestibular.modeling.generation import answer_questions
from vestibular.modeling.proving import try_out
from vestibular.training.adapters import add_adapter
from vestibular.training.settings import LoraSettings

pytestmark = pytest.mark.slow

LORA = LoraSettings(r=4, alpha=8, dropout=0.0, target_modules="auto")
NEW_TOKENS = 12
TOLERANCE = 1e-4
SHARED = [name for name, ways in EXPECTED.items() if ways == ("shared", "shared")]


@pytest.fixture(scope="module")
def found() -> Callable[[str], capability.Ways]:
    """What the check finds for an architecture, looked for once."""
    known: dict[str, capability.Ways] = {}

    def look(name: str) -> capability.Ways:
        if name not in known:
            known[name] = try_out(configuration(name))
        return known[name]

    return look


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_check_finds_the_fastest_way(
    found: Callable[[str], capability.Ways], name: str
) -> None:
    """Windows, chunks, latent attention and experts share contexts; what cannot says why."""
    ways = found(name)
    assert (ways.training, ways.exam) == EXPECTED[name]
    assert bool(ways.reason) == (EXPECTED[name] != ("shared", "shared"))
    assert not ways.refused


def exam_differs(model: Any, way: Any) -> float:
    """The largest error of a step's logits against a plain pass; infinite for another answer."""
    questions = draw(8, seed=5, longest=120)
    unended = [one_at_a_time(model, question) for question in questions]
    # a token that ends some answers early, so that rows leave a batch at different steps
    said = Counter(token for each in unended for token in set(each[1:-1]) - set(each[:1]))
    end = next(token for token, count in said.most_common() if count < len(questions))
    expected = [each[: each.index(end)] if end in each else each for each in unended]
    assert len({tuple(each) for each in expected}) > len(expected) / 4
    assert len({len(each) for each in expected}) > 1
    seen: list[list[torch.Tensor]] = [[] for _ in questions]

    def watch(places: Any, logits: torch.Tensor) -> None:
        for place, row in zip(places, logits, strict=True):
            seen[place].append(row.clone())

    answers = answer_questions(model, questions, (2, end), NEW_TOKENS, 2000, way, watch=watch)
    if [list(answer.tokens) for answer in answers] != expected:
        return float("inf")
    worst = 0.0
    for question, answer, steps in zip(questions, answers, seen, strict=True):
        count = len(answer.log_probabilities)
        ids = torch.tensor([[*question.prompt, *answer.tokens]])
        with torch.inference_mode():
            plain = model(input_ids=ids).logits[0, len(question.prompt) - 1 :][:count]
        worst = max(worst, equivalence.relative_error(torch.stack(steps[:count]), plain))
    return worst


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_answers_are_those_of_one_question_at_a_time(name: str) -> None:
    """Token for token, and the logits of every step, with contexts longer than any window."""
    assert exam_differs(tiny(name), EXPECTED[name][1]) <= TOLERANCE


def lesson_differs(name: str, way: Any) -> float:
    """The error of a step's gradients against those of transformers' own loss."""
    model = add_adapter(tiny(name), LORA, "none").train()
    torch.manual_seed(1)
    for key, parameter in model.named_parameters():
        if "lora_B" in key:
            parameter.data.normal_(0, 0.1)
    questions = draw(5, seed=4, longest=90)
    for question in questions:
        labels = torch.tensor([[-100] * len(question.prompt) + list(question.answer)])
        ids = torch.tensor([question.prompt + question.answer])
        # its loss is a mean over the labels, without the first one of a row
        (model(input_ids=ids, labels=labels).loss * len(question.answer)).backward()
    right = {
        key: each.grad.clone() for key, each in model.named_parameters() if each.grad is not None
    }
    batches = equivalence.lesson_rows(questions, way)
    times = 2 if way == "shared" else 1
    got = equivalence.learn(model, batches).gradients
    assert set(got) == set(right)
    off = torch.stack([(each - times * right[key]).norm() for key, each in got.items()]).norm()
    size = torch.stack([times * each.norm() for each in right.values()]).norm()
    return float(off / size)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_step_teaches_what_single_questions_would(name: str) -> None:
    """The gradients of an adapter at the usual modules are those of transformers' own loss."""
    assert lesson_differs(name, EXPECTED[name][0]) <= TOLERANCE


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_module_that_auto_names_is_trained(
    found: Callable[[str], capability.Ways], name: str
) -> None:
    """None gets no gradient; none lies in an image tower, an output head, a router, an expert."""
    lora = LORA.model_copy(update={"target_modules": found(name).targets})
    model = add_adapter(tiny(name), lora, "none")
    for key, parameter in model.named_parameters():
        if "lora_B" in key:
            parameter.data.fill_(0.01)
    equivalence.learn(model, equivalence.lesson_rows(draw(6, seed=2), "single"))
    trained = {key: each for key, each in model.named_parameters() if each.requires_grad}
    assert trained
    for key, parameter in trained.items():
        assert parameter.grad is not None, key
        assert parameter.grad.any(), key
        parts = key.split(".")
        assert not {"vision_tower", "lm_head", "router", "experts"} & set(parts), key


def blind(config: Any) -> dict[str, Reach]:
    """Kinds of layers without windows and chunks."""
    from vestibular.modeling.attention import layer_kinds

    return dict.fromkeys(layer_kinds(config), Reach())


def all_before(segment_ids: torch.Tensor) -> torch.Tensor:
    """A mask that is causal and lets segments see each other."""
    width = segment_ids.shape[1]
    return torch.ones(width, width, dtype=torch.bool).tril().expand(len(segment_ids), -1, -1)


def by_column(collate: Any) -> Any:
    """Positions counted along the row instead of along each question."""

    def broken(rows: Any, width: int = 0) -> Any:
        inputs = collate(rows, width)
        if "position_ids" in inputs:
            wide = inputs["position_ids"]
            inputs["position_ids"] = torch.arange(wide.shape[1]).expand_as(wide)
        return inputs

    return broken


def one_further(logits_at: Any) -> Any:
    """Positions of what follows the prefix, one too far."""

    def broken(*places: Any, **inputs: Any) -> Any:
        if not isinstance(inputs["attention_mask"], torch.Tensor) or (
            inputs["attention_mask"].ndim == 4
        ):
            inputs["position_ids"] = inputs["position_ids"] + 1
        return logits_at(*places, **inputs)

    return broken


@pytest.fixture(autouse=True)
def _contexts_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read what follows each context in a pass of its own, few as its tokens are here."""
    monkeypatch.setattr(prompt_reading, "TOKENS_ON_CPU", 1)


def unmoved(reorder: Callable[..., None]) -> Callable[..., None]:
    """Keep the first rows, whichever go on."""
    return lambda layer, rows: reorder(layer, torch.arange(len(rows)))


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "windows": lambda patch: (
        [patch.setattr(module, "layer_kinds", blind) for module in (prompt_reading, tensors)]
        and None
    ),
    "segments": lambda patch: patch.setattr(tensors, "segments_seen", all_before),
    "positions": lambda patch: patch.setattr(
        equivalence, "collate", by_column(equivalence.collate)
    ),
    "later positions": lambda patch: patch.setattr(
        prompt_reading, "logits_at", one_further(prompt_reading.logits_at)
    ),
    "rows": lambda patch: patch.setattr(
        BufferedLayer, "reorder_cache", unmoved(BufferedLayer.reorder_cache)
    ),
}


@pytest.mark.parametrize(
    ("fault", "name", "part"),
    [
        ("windows", "mistral", "both"),
        ("windows", "gemma3_text", "both"),
        ("windows", "gpt_oss", "both"),
        ("windows", "llama4_text", "both"),
        ("segments", "gpt2", "training"),
        ("segments", "llama", "training"),
        ("positions", "opt", "training"),
        ("positions", "deepseek_v3", "training"),
        ("later positions", "gpt2", "exam"),
        ("later positions", "qwen3", "exam"),
        ("rows", "gpt2", "exam"),
        ("rows", "mixtral", "exam"),
    ],
)
def test_a_fault_is_noticed(
    monkeypatch: pytest.MonkeyPatch, fault: str, name: str, part: str
) -> None:
    """A mask, a position or a row that is wrong shows in the check and in the comparisons above."""
    FAULTS[fault](monkeypatch)
    ways = try_out(configuration(name))
    if part in ("both", "exam"):
        assert ways.exam == "padded"
        with pytest.raises((AssertionError, RuntimeError)):
            assert exam_differs(tiny(name), "shared") <= TOLERANCE
    if part in ("both", "training"):
        assert ways.training == "padded"
        assert lesson_differs(name, "shared") > TOLERANCE


@pytest.mark.parametrize("name", ["gpt_neo", "mpt", "mamba2"])
def test_without_the_fallback_answers_and_lessons_would_be_wrong(name: str) -> None:
    """Sharing contexts raises no error on these architectures, and is far from right."""
    assert exam_differs(tiny(name), "shared") > 100 * TOLERANCE
    assert lesson_differs(name, "shared") > 100 * TOLERANCE


def test_what_sees_the_answer_is_refused() -> None:
    """BERT without a causal mask sees what it is to say; with one it is a language model."""
    import transformers

    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    bert = {**small, "vocab_size": VOCABULARY, "intermediate_size": 48}
    refused = try_out(transformers.BertConfig(**bert)).refused
    assert "not a causal language model" in refused
    assert not try_out(transformers.BertConfig(**bert, is_decoder=True)).refused


def test_an_encoder_decoder_is_refused() -> None:
    """Its answers do not continue the prompt."""
    import transformers

    assert "encoder-decoder" in try_out(transformers.BartConfig()).refused


def test_what_was_found_is_kept(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second look reads a file; another version of a library or of our code looks again."""
    base = in_folder / "base"
    configuration("bloom").save_pretrained(base)
    first = capability.ways(base)
    assert (first.training, first.exam) == ("padded", "padded")
    (kept,) = Path(".vestibular/ways").iterdir()
    assert json.loads(kept.read_text(encoding="utf-8"))["reason"] == first.reason
    monkeypatch.setattr(proving, "try_out", None)
    assert capability.ways(base) == first
    monkeypatch.setattr(capability, "version", lambda package: "0")
    with pytest.raises(TypeError):
        capability.ways(base)


def test_a_refusal_is_kept_and_names_the_folder(in_folder: Path) -> None:
    """It is the same the second time, without a look."""
    import transformers

    base = in_folder / "base"
    transformers.BartConfig(architectures=["BartForCausalLM"]).save_pretrained(base)
    for _ in range(2):
        with pytest.raises(BaseModelError, match=r"base: is an encoder-decoder"):
            capability.ways(base)
