"""Number of steps of a training, and settings that do not suit so few.

Nothing here imports torch.
"""

from vestibular.modeling.batching import steps_per_epoch
from vestibular.training.settings import TrainSettings

FEW_STEPS = 10
"""Optimizer steps per epoch below which a loss curve and a schedule have too few points."""


def warnings(settings: TrainSettings, questions: int) -> list[str]:
    """Return warnings about a schedule, each with figures and a proposal.

    Args:
        settings: a candidate's settings.
        questions: number of training questions, at least one.
    """
    per_epoch = steps_per_epoch(questions, settings.batch_size)
    steps = per_epoch * settings.epochs
    found = []
    if settings.schedule != "constant" and settings.warmup_steps >= steps:
        reached = settings.learning_rate * steps / settings.warmup_steps
        found.append(
            f"train.warmup_steps: {settings.warmup_steps}, but the training has only "
            f"{_count(steps)} ({questions:,} questions, {settings.batch_size} per step, epochs "
            f"{settings.epochs}): the learning rate ends at {reached:.2g} and never reaches "
            f"{settings.learning_rate:g}; write {steps // 10}"
        )
    if per_epoch < FEW_STEPS and questions >= 2 * per_epoch:
        smaller = max(1, questions // FEW_STEPS)
        found.append(
            f"train.batch_size: {settings.batch_size} of {questions:,} questions make "
            f"{_count(per_epoch)} per epoch, {steps} in total, in which a model hardly learns; "
            f"write {smaller}"
        )
    return found


def _count(steps: int) -> str:
    return "one step" if steps == 1 else f"{steps} steps"
