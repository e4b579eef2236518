"""Train a tiny model, as one of several processes: `python trained_together.py FOLDER SETTINGS`.

FOLDER holds the model in `base`; SETTINGS is JSON: changes of the demo's `train`, and of what is
asked of this script: `die`, a rank and a step at which that process kills itself; `stop`, the same,
but it stands still; `timeout`, seconds that the others wait for it.
"""

import json
import os
import signal
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from vestibular.core.errors import exit_on_error
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.params.project import load_params
from vestibular.tracking.checkpoints import check_processes
from vestibular.training.launching import launch, silent_when_lost
from vestibular.training.places import Place, take_place

ROOT = Path(__file__).parents[2]
QUESTIONS = 22
CHANGES = {
    "epochs": 2,
    "batch_size": 6,
    "warmup_steps": 2,
    "logging_steps": 1,
    "validation_steps": 4,
    "checkpoint_steps": 2,
    "max_tokens_per_batch": 96,
    "learning_rate": 1e-3,
}


def questions(count: int) -> list[EncodedQuestion]:
    """Three about each context, of unequal lengths, with one to five tokens to learn."""
    return [
        EncodedQuestion(
            str(n),
            tuple(range(3, 23 + n // 3)) + tuple(range(60 + n, 62 + n + n % 4)),
            (*range(100 + n, 101 + n + n % 5), 2),
            str(n // 3),
            False,
        )
        for n in range(count)
    ]


@exit_on_error
@silent_when_lost
def main() -> None:
    """Train, and leave the curve, the first step's gradients and the weights of each process."""
    folder, asked = Path(sys.argv[1]), json.loads(sys.argv[2])
    mishaps = {name: asked.pop(name, None) for name in ("die", "stop", "timeout")}
    train = load_params(ROOT / "params.yaml").train
    dropout = train.lora.model_copy(update={"dropout": asked.pop("dropout", 0.0)})
    settings = train.model_copy(update={**CHANGES, "lora": dropout, **asked})
    place = take_place(os.environ, settings)
    work = "the training of a tiny model"
    if place is None or place.count == 1:
        check_processes(folder / "checkpoints", settings.processes, work)
    if place is None:
        launch([sys.executable, *sys.orig_argv[1:]], settings.processes, work)
    else:
        train_in(folder, settings, place, mishaps)


def train_in(folder: Path, settings: Any, place: Place, mishaps: dict[str, Any]) -> None:
    """Train as the stage does."""
    import torch
    from safetensors.torch import save_file

    from vestibular.modeling.models import load_base
    from vestibular.training import processes as talking
    from vestibular.training.adapters import make_trainable
    from vestibular.training.training import QuestionTrainer, fine_tune

    if mishaps["timeout"]:
        talking.TIMEOUT = timedelta(seconds=mishaps["timeout"])
    torch.manual_seed(1)
    device = torch.device("cpu")
    model = load_base(folder / "base", "none", device, torch.float32)
    model = make_trainable(model, settings, False)
    plain_step = QuestionTrainer.training_step

    def step(self: Any, *arguments: Any) -> Any:
        number = self.state.global_step
        for signal_name, what in (("die", signal.SIGKILL), ("stop", signal.SIGSTOP)):
            if mishaps[signal_name] == [place.rank, number]:
                os.kill(os.getpid(), what)
        loss = plain_step(self, *arguments)
        if number == 0 and place.is_first:
            gradients = {
                name: weights.grad.clone()
                for name, weights in self.model.named_parameters()
                if weights.grad is not None
            }
            save_file(gradients, folder / f"gradients-{place.count}.safetensors")
        return loss

    QuestionTrainer.training_step = step  # type: ignore[method-assign]
    with talking.together(place, device) as processes:
        result = fine_tune(
            model,
            questions(QUESTIONS),
            questions(5),
            settings,
            settings.batching,
            torch.float32,
            1,
            folder / "checkpoints",
            processes=processes,
        )
        everyone = processes.all(os.getpid())
    weights = {
        name: tensor.detach().clone()
        for name, tensor in model.named_parameters()
        if tensor.requires_grad
    }
    save_file(weights, folder / f"weights-{place.count}-{place.rank}.safetensors")
    if place.is_first:
        text = json.dumps({**asdict(result), "pids": everyone})
        (folder / f"result-{place.count}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
