"""What a training counts of itself, whether it was killed or not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.training.test_training import STEPS, TRAIN, questions
from vestibular.core.costs import Costs, TrainingCost
from vestibular.core.training_record import TrainingRecord

pytestmark = pytest.mark.slow

VALIDATION_SECONDS = 10.0
"""What a validation takes by the clock of these tests; a step takes 1."""


class KilledError(Exception):
    """In the place of a kill."""


class Clock:
    """Time that passes with steps and validations alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def stopwatch(self) -> Callable[[], float]:
        start = self.now
        return lambda: self.now - start


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that the training goes by."""
    from vestibular.training import progress

    clock = Clock()
    monkeypatch.setattr(progress, "stopwatch", clock.stopwatch)
    return clock


@pytest.fixture
def train(tiny_model: Callable[[str], Any], tmp_path: Path, clock: Clock) -> Callable[..., Any]:
    """Train an adapter on a tiny model, until a step if one is named; tell of epochs and losses."""
    tiny_model("gpt2").save_pretrained(tmp_path / "base")

    def work(checkpoints: str, until: int = STEPS, **settings: Any) -> Any:
        import torch

        from vestibular.modeling.models import load_base
        from vestibular.training.adapters import make_trainable
        from vestibular.training.training import fine_tune

        torch.manual_seed(1)
        used = TRAIN.model_copy(update={"checkpoint_steps": 3, **settings})
        model = load_base(tmp_path / "base", "none", torch.device("cpu"), torch.float32)
        model = make_trainable(model, used, False)
        epochs: list[tuple[int, float]] = []

        def record(step: int, values: dict[str, float]) -> None:
            clock.now += VALIDATION_SECONDS if "validation_loss" in values else 1.0
            if step > until:
                raise KilledError

        result = fine_tune(
            model,
            questions(16),
            questions(3),
            used,
            "padded",
            torch.float32,
            1,
            tmp_path / checkpoints,
            record=record,
            on_epoch=lambda number, seconds: epochs.append((number, seconds)),
        )
        return result, epochs

    return work


@pytest.mark.parametrize("logging_steps", [1, 5, 100])
def test_the_mean_loss_is_the_trainers_own(
    train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, logging_steps: int
) -> None:
    """Over all steps, however many of them are logged: what `trainer.train()` returns."""
    from vestibular.training.training import QuestionTrainer

    returned = []
    plain = QuestionTrainer.train

    def keep(self: Any, *arguments: Any, **options: Any) -> Any:
        returned.append(plain(self, *arguments, **options))
        return returned[-1]

    monkeypatch.setattr(QuestionTrainer, "train", keep)
    result, _ = train("once", logging_steps=logging_steps)
    assert result.mean_loss == pytest.approx(returned[0].training_loss, rel=1e-5)
    losses = [row[2] for row in result.curve if row[2] is not None]
    if logging_steps == 1:
        assert result.mean_loss == pytest.approx(sum(losses) / STEPS, rel=1e-5)
        assert result.mean_loss != pytest.approx(losses[-1], rel=1e-3)


def test_an_epoch_lasts_until_it_is_validated(train: Callable[..., Any]) -> None:
    """Four steps and the validation after them; each epoch is told as it ends, the last one too."""
    result, epochs = train("once")
    assert result.epoch_seconds == (14.0, 14.0, 14.0)
    assert epochs == [(1, 14.0), (2, 14.0), (3, 14.0)]
    assert result.seconds == sum(result.epoch_seconds)


@pytest.mark.parametrize("until", [3, 5, 10])
def test_a_killed_training_counts_what_it_kept(
    train: Callable[..., Any], clock: Clock, until: int
) -> None:
    """In the midst of an epoch, behind one or two: the same seconds, epochs and mean loss."""
    whole, _ = train("whole")
    with pytest.raises(KilledError):
        train("killed", until=until)
    clock.now += 1000
    result, epochs = train("killed")
    assert result.mean_loss == whole.mean_loss
    assert result.epoch_seconds == whole.epoch_seconds
    assert result.seconds == whole.seconds
    assert result.started < whole.started + 60
    # an epoch that had ended at the checkpoint is not told again
    checkpoint = until // 3 * 3
    assert [number for number, _ in epochs] == list(range(checkpoint // 4 + 1, 4))


def test_files_from_before_say_that_they_do_not_know(tmp_path: Path) -> None:
    """The mean of the epochs was kept, and no loss: neither passes for what it is not."""
    old = {
        "seconds": 9.0,
        "seconds_per_epoch": 4.5,
        "questions_per_second": 1.0,
        "tokens_per_second": 1.0,
        "planned_bytes": 1,
        "peak_process_bytes": 1,
        "peak_device_bytes": 0,
        "machine": {"device": "cpu", "packages": {}},
    }
    cost = TrainingCost.parse(old, tmp_path)
    assert (cost.seconds, cost.epoch_seconds, cost.started) == (9.0, (), None)
    costs = Costs.parse(
        {"version": 2, "candidates": {"a": {"run": "r", "train": old, "evaluate": None}}}, tmp_path
    )
    assert costs.candidates["a"].train == cost
    assert Costs.parse({"a": {}}, tmp_path).candidates == {}
    record = TrainingRecord.parse(
        {
            "questions": 1,
            "shortened": 0,
            "steps": 1,
            "batching": "padded",
            "max_tokens_per_batch": 9,
            "gradient_checkpointing": False,
        },
        tmp_path,
    )
    assert record.mean_loss is None
