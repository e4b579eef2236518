"""Train a tiny model, as one of several processes.

python -m tests.support.trained_together FOLDER ASKED

FOLDER holds the model in `base`. ASKED is JSON: `processes`; `trainings`, which names a folder in
FOLDER for each, and gives its changes of the demo's `train`; and what is to go wrong: `die`, a rank
and a step at which that process kills itself; `stop`, the same, but it stands still; `timeout`,
seconds that the others wait for it.
"""

import json
import os
import shutil
import signal
import sys
import time
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from vestibular.core.errors import exit_on_error
from vestibular.core.logs import silence_libraries
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.params.project import load_params
from vestibular.tracking.checkpoints import check_processes
from vestibular.training.launching import launch, silent_when_lost
from vestibular.training.places import Place, take_place
from vestibular.training.settings import TrainSettings

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
    """Do what is asked for, as the stage does; each training leaves what came of it."""
    folder, asked = Path(sys.argv[1]), json.loads(sys.argv[2])
    count = asked["processes"]
    train = load_params(ROOT / "params.yaml").train
    trainings = {}
    for name, changes in asked["trainings"].items():
        lora = train.lora.model_copy(update={"dropout": changes.pop("dropout", 0.0)})
        values = {**CHANGES, **changes, "lora": lora, "processes": count}
        trainings[folder / name] = train.model_copy(update=values)
    place = take_place(os.environ, next(iter(trainings.values())))
    if place is None or place.count == 1:
        for each in trainings:
            check_processes(each / "checkpoints", count, f"the training of {each.name}")
    if place is None:
        launch([sys.executable, *sys.orig_argv[1:]], count, "the training of a tiny model")
    else:
        train_all(trainings, place, asked)


def train_all(trainings: dict[Path, TrainSettings], place: Place, asked: dict[str, Any]) -> None:
    """Train one model after the other, each from the same start."""
    silence_libraries()
    import torch
    from safetensors.torch import save_file

    from vestibular.modeling.models import load_base
    from vestibular.training import processes as talking
    from vestibular.training.adapters import make_trainable
    from vestibular.training.training import QuestionTrainer, fine_tune

    if "timeout" in asked:
        talking.TIMEOUT = timedelta(seconds=asked["timeout"])
        # who has not imported torch yet is not late
        (next(iter(trainings)).parent / f"ready-{place.rank}").touch()
        while len(list(next(iter(trainings)).parent.glob("ready-*"))) < place.count:
            time.sleep(0.1)
    device = torch.device("cpu")
    plain_step = QuestionTrainer.training_step

    def step(self: Any, *arguments: Any) -> Any:
        number = self.state.global_step
        for mishap, what in (("die", signal.SIGKILL), ("stop", signal.SIGSTOP)):
            if asked.get(mishap) == [place.rank, number]:
                os.kill(os.getpid(), what)
        loss = plain_step(self, *arguments)
        if number == 0 and place.is_first:
            gradients = {
                name: weights.grad.clone()
                for name, weights in self.model.named_parameters()
                if weights.grad is not None
            }
            folder = Path(self.args.output_dir).parent
            save_file(gradients, folder / f"gradients-{place.count}.safetensors")
        return loss

    QuestionTrainer.training_step = step  # type: ignore[method-assign]
    with talking.together(place, device) as processes:
        everyone = processes.all(os.getpid())
        for folder, settings in trainings.items():
            folder.mkdir(exist_ok=True)
            torch.manual_seed(1)
            model = load_base(folder.parent / "base", "none", device, torch.float32)
            model = make_trainable(model, settings, False)
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
            weights = {
                name: tensor.detach().clone()
                for name, tensor in model.named_parameters()
                if tensor.requires_grad
            }
            save_file(weights, folder / f"weights-{place.count}-{place.rank}.safetensors")
            # the next number of processes begins anew
            processes.all(None)
            if place.is_first:
                shutil.rmtree(folder / "checkpoints")
                text = json.dumps({**asdict(result), "pids": everyone})
                (folder / f"result-{place.count}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
