"""How many steps a training has, and which settings cannot work with so few.

Nothing here imports torch.
"""

from vestibular.modeling.batching import steps_per_epoch
from vestibular.training.settings import TrainSettings

FEW_STEPS = 10
"""Optimizer steps an epoch, below which a loss curve and a schedule have hardly any points."""


def warnings(settings: TrainSettings, questions: int) -> list[str]:
    """Return what is wrong with a schedule, each with its figures and what to write.

    Args:
        settings: a candidate's.
        questions: training questions, at least one.
    """
    per_epoch = steps_per_epoch(questions, settings.batch_size)
    steps = per_epoch * settings.epochs
    found = []
    if settings.schedule != "constant" and settings.warmup_steps >= steps:
        reached = settings.learning_rate * steps / settings.warmup_steps
        found.append(
            f"train.warmup_steps: {settings.warmup_steps}, and there are {_count(steps)} in all "
            f"({questions:,} questions, {settings.batch_size} a step, epochs {settings.epochs}): "
            f"the learning rate ends at {reached:.2g} and never reaches "
            f"{settings.learning_rate:g}; write {steps // 10}"
        )
    if per_epoch < FEW_STEPS and questions >= 2 * per_epoch:
        smaller = max(1, questions // FEW_STEPS)
        found.append(
            f"train.batch_size: {settings.batch_size} of {questions:,} questions make "
            f"{_count(per_epoch)} an epoch, {steps} in all: a model hardly learns in so few; write "
            f"{smaller}"
        )
    return found


def _count(steps: int) -> str:
    return "one step" if steps == 1 else f"{steps} steps"
