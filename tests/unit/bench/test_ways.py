"""The bench says of each way what it measured, or why it could not."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import workers
from bench.arithmetic import Work, causal, forward_flops, of_rows, training_flops
from bench.shapes import SHAPES
from bench.summary import add_equal_answers, times
from tests.support.commands import ROOT, environment
from vestibular.modeling.batching import Row, Segment

HIDE = """
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in ("trl", "lm_eval", "vl_convert"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


def test_a_row_with_one_question_has_the_work_of_a_causal_sequence() -> None:
    assert of_rows([Row((), (Segment(tuple(range(10)), 7),))]) == causal(10, 3)


def test_the_keys_of_a_shared_row_are_those_that_its_mask_lets_through() -> None:
    """Counted one by one: a token sees the prefix before it and its own segment."""
    row = Row((0,) * 5, (Segment((0,) * 3, 1), Segment((0,) * 2, 1)))
    owner = [0] * 5 + [1] * 3 + [2] * 2
    keys = sum(
        key <= query and owner[key] in (0, owner[query]) for query in range(10) for key in range(10)
    )
    assert of_rows([row]) == Work(tokens=10, keys=keys, outputs=3)


@pytest.mark.parametrize("shape", ["toy", "toy-llama", "toy-gemma3"])
def test_flops_are_those_of_the_model_in_torch(shape: str) -> None:
    """Torch counts the same for a forward pass, and close to it for forward and backward."""
    torch = pytest.importorskip("torch")
    from peft import LoraConfig, get_peft_model
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModelForCausalLM

    config = SHAPES[shape].configuration()
    for dropout in ("resid_pdrop", "attn_pdrop", "attention_dropout"):
        if hasattr(config, dropout):
            setattr(config, dropout, 0.0)
    base = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    model = get_peft_model(
        base,
        LoraConfig(r=8, lora_dropout=0, task_type="CAUSAL_LM", fan_in_fan_out=shape == "toy"),
    )
    ids = torch.ones(2, 64, dtype=torch.long)
    work = Work(tokens=128, keys=2 * 64 * 64, outputs=128)
    with FlopCounterMode(display=False) as counter:
        loss = model(input_ids=ids, use_cache=False).logits.sum()
    trained = model.get_nb_trainable_parameters()[0]
    # beside the adapter, the angles of the positions are products too, one a frequency
    assert counter.get_total_flops() == pytest.approx(
        forward_flops(shape, work) + 2 * trained * 128, rel=0 if shape == "toy" else 1e-3
    )
    assert trained == SHAPES[shape].layers * SHAPES[shape].adapted_weights(8)
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    both = counter.get_total_flops() + backward.get_total_flops()
    # nothing before the first adapter needs a gradient, of which the formula knows nothing
    assert both == pytest.approx(training_flops(shape, work), rel=0.02)


def test_ratios_are_taken_repeat_by_repeat_and_question_by_question() -> None:
    """Twice the questions in half the time are four times the speed."""
    slow = {"about": {"questions": 4}, "seconds": [8.0, 10.0, 4.0]}
    fast = {"about": {"questions": 8}, "seconds": [4.0, 4.0, 4.0]}
    assert times(fast, slow) == {"least": 2.0, "median": 4.0, "most": 5.0}


def test_answers_are_compared_with_the_first_way() -> None:
    task: dict[str, Any] = {
        "one": {"end": {"answers": ["a", "b"]}},
        "other": {"end": {"answers": ["a", "c"]}},
    }
    reported: dict[str, Any] = {"one": {}, "other": {}, "absent": {"not_run": "why"}}
    add_equal_answers(reported, task)
    assert reported["other"] == {"equal_answers": 0.5, "distinct_answers": 2}
    assert reported["absent"] == {"not_run": "why"}


def test_ways_keep_their_order_where_one_cannot_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first way is what others are compared with, whatever could not be run."""

    class Stub:
        times = processor_times = (1.0,)

        def __init__(self, name: str, *_: Any) -> None:
            self.name = name
            self.about = {"configuration": ""}

        def run(self) -> float:
            return 1.0

        def finish(self) -> dict[str, Any]:
            return {}

    def absent(*_: Any) -> None:
        raise ModuleNotFoundError(name="trl")

    monkeypatch.setattr(workers, "Worker", Stub)
    monkeypatch.setattr(workers, "apart", absent)
    found = workers.measure("training", SimpleNamespace(repeats=2))  # type: ignore[arg-type]
    assert list(found) == ["published", "trl", "padded", "shared_context", workers.PEAK]
    assert found["trl"] == {"not_run": "trl is not installed"}


@pytest.mark.slow
@pytest.mark.long
def test_every_way_is_measured_or_has_a_reason(
    faquad: Path, gpt2_tokenizer_folder: Path, tmp_path: Path
) -> None:
    """At toy size, with the packages that a machine may lack hidden from the processes."""
    (tmp_path / "sitecustomize.py").write_text(HIDE, encoding="utf-8")
    output = tmp_path / "result.json"
    sizes = {"batch": 4, "micro-batch": 1, "train-questions": 4, "published-questions": 1}
    sizes |= {"exam-questions": 3, "repeats": 1, "new-tokens": 4}
    options = [part for name, size in sizes.items() for part in (f"--{name}", str(size))]
    result = subprocess.run(
        [
            *(sys.executable, "-m", "bench.speed", "--shape", "toy", "--no-growth"),
            *("--data", faquad, "--tokenizer", gpt2_tokenizer_folder),
            *("--device", "cpu", "--output", output, *options),
        ],
        cwd=ROOT,
        env={**environment(), "PYTHONPATH": f"{tmp_path}:src"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(output.read_text(encoding="utf-8"))
    assert list(found["training"]) == ["published", "trl", "padded", "shared_context"]
    assert list(found["answering"]) == ["one_at_a_time", "lm_eval", "shared_context"]
    for task, absent in (("training", "trl"), ("answering", "lm_eval")):
        assert found[task][absent] == {"not_run": f"{absent} is not installed"}
        assert f"{absent:16} not run" in result.stdout
    for way in (*found["training"].values(), *found["answering"].values()):
        if "not_run" not in way:
            assert way["questions_per_second"] > 0
            assert way["peak_resident_bytes"] > way["resident_bytes_before"] > 0
            assert 0 < way["model_flops_utilization"] < 1
    assert found["answering"]["shared_context"]["equal_answers"] == 1
    assert found["training"]["shared_context"]["times"]["trl"] == found["training"]["trl"]
    assert "vl_convert is not installed" in result.stderr
    assert "growth not run" in result.stdout
