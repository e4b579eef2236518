"""TRL's SFTTrainer, in the configuration that is fastest on this machine."""

import tempfile
import time
from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from bench.arithmetic import NOTHING, causal, square, training_flops
from bench.base import GRADIENT_NORM, LEARNING_RATE, adapter, load_base, load_tokenizer, pick_device
from bench.questions import SEED, training_steps
from bench.settings import Settings
from bench.shapes import PUBLISHED_LENGTH
from bench.ways import Way
from vestibular.modeling.encoding import EncodedQuestion

EXACT = 1e-5
"""Largest relative difference of losses that counts as rounding in float32."""


class Clock(TrainerCallback):
    """Measures the seconds from the first optimizer step to the last, without the set-up."""

    def __init__(self) -> None:
        self.start = self.seconds = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Stop the clock."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds = time.perf_counter() - self.start


def dataset(questions: Sequence[EncodedQuestion], tokenizer: Any) -> Dataset:
    """Return prompts and completions as texts; TRL adds the end of sequence itself."""
    return Dataset.from_list(
        [
            {
                "prompt": tokenizer.decode(question.prompt),
                "completion": tokenizer.decode(question.answer[:-1]),
            }
            for question in questions
        ]
    )


def trainer(
    settings: Settings, questions: Sequence[EncodedQuestion], rows: int, padding_free: bool
) -> tuple[SFTTrainer, Clock]:
    """Build a trainer with `rows` sequences of similar length per forward pass.

    Raises:
        ValueError: TRL and the pipeline have tokenized a question differently.
    """
    disable_progress_bar()
    tokenizer = load_tokenizer(settings)
    clock = Clock()
    torch.manual_seed(0)
    model = load_base(settings)
    arguments = SFTConfig(
        output_dir=tempfile.mkdtemp(prefix="bench-trl-"),
        num_train_epochs=1,
        per_device_train_batch_size=rows,
        gradient_accumulation_steps=settings.batch // rows,
        train_sampling_strategy="group_by_length",
        padding_free=padding_free,
        max_length=None if padding_free else PUBLISHED_LENGTH,
        completion_only_loss=True,
        gradient_checkpointing=False,
        bf16=settings.precision == "bfloat16",
        tf32=True if settings.precision == "tf32" else None,
        use_cpu=pick_device(settings).type == "cpu",
        learning_rate=LEARNING_RATE,
        max_grad_norm=GRADIENT_NORM,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=SEED,
    )
    made = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset(questions, tokenizer),
        processing_class=tokenizer,
        peft_config=adapter(model),
        callbacks=[clock],
    )
    made.remove_callback(PrinterCallback)
    for row, question in zip(made.train_dataset, questions, strict=True):
        if tuple(row["input_ids"]) != question.prompt + question.answer:
            raise ValueError(f"TRL and the pipeline tokenize question {question.id} differently")
    return made, clock


def loss_of(made: SFTTrainer, rows: int) -> float:
    """Return the loss of the first `rows` questions, without dropout."""
    batch = made.data_collator([made.train_dataset[row] for row in range(rows)])
    inputs = {name: value.to(made.model.device) for name, value in _tensors(batch).items()}
    made.model.eval()
    with torch.no_grad():
        return float(made.compute_loss(made.model, {**batch, **inputs}))


def _tensors(batch: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in batch.items() if isinstance(value, torch.Tensor)}


Choice = tuple[int, bool, str]
"""Rows per pass, whether padding-free, and a description of what was tried."""


def trial(settings: Settings) -> Choice:
    """Return the fastest of TRL's exact configurations, each tried on a step after a short one.

    Sequences are padded, several of similar length per pass, or concatenated without padding if the
    attention at hand keeps them apart (TRL guarantees this only for FlashAttention).
    """
    questions = training_steps(settings, load_tokenizer(settings))[0]
    several = max(1, settings.batch // 4)
    speeds: dict[tuple[int, bool], float] = {}
    losses = {}
    notes = []
    for rows, padding_free in (
        (settings.batch, False),
        (several, False),
        (1, False),
        (several, True),
    ):
        label = f"{rows} rows per pass{', padding-free' if padding_free else ''}"
        made, clock = trainer(settings, questions, rows, padding_free)
        losses[padding_free] = loss_of(made, several)
        if padding_free and abs(losses[True] / losses[False] - 1) > EXACT:
            notes.append(
                f"{label}: not exact here (loss {losses[True]:.6f}, not {losses[False]:.6f})"
            )
            continue
        made.train()
        speeds[rows, padding_free] = len(questions) / clock.seconds
        notes.append(f"{label}: {speeds[rows, padding_free]:.2f} questions/s")
    best = max(speeds, key=lambda configuration: speeds[configuration])
    return (*best, f"tried on {len(questions)} questions: {'; '.join(notes)}")


def trl(settings: Settings, choice: Choice) -> Way:
    """Return the way of TRL's trainer in a configuration."""
    rows, padding_free, notes = choice
    steps = training_steps(settings, load_tokenizer(settings))
    questions = [question for step in steps for question in step]
    made, clock = trainer(settings, questions, rows, padding_free)

    def run() -> float:
        made.train()
        return clock.seconds

    # neither order nor groups are known here, so that each row counts without padding
    labels = sum(len(question.answer) for question in questions)
    needed = sum((causal(one.length, len(one.answer)) for one in questions), NOTHING)
    head_on_all = pick_device(settings).type == "cpu"
    lengths = sorted((question.length for question in questions), reverse=True)
    padded = NOTHING
    for start in range(0, len(lengths), rows):
        group = lengths[start : start + rows]
        outputs = len(group) * group[0] if head_on_all else 0
        padded += square(len(group), group[0], outputs)
    if not head_on_all:
        padded += square(0, 0, labels)
    return Way(
        questions=len(questions),
        tokens=sum(one.length for one in questions),
        configuration=(
            f"{rows} rows per pass x {settings.batch // rows}, grouped by length, "
            f"{'padding-free' if padding_free else 'dynamic padding'}, loss on the completion, "
            f"no checkpointing; {notes}"
        ),
        warm_up=lambda: loss_of(made, 1),
        run=run,
        model_flops=training_flops(settings.shape, needed),
        hardware_flops=training_flops(settings.shape, padded),
    )
