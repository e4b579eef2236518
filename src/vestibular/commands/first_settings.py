"""The settings written by `vestibular init`: text of `params.yaml`, with comments."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from vestibular.commands.first_look import FirstLook
from vestibular.core.errors import BaseModelError
from vestibular.modeling.batching import steps_per_epoch
from vestibular.scoring.languages import NONE, languages
from vestibular.selection.remarks import FOLDS
from vestibular.training.schedule import FEW_STEPS

STEPS = 400
"""Target number of optimizer steps for small datasets."""
MOST_EPOCHS = 10
"""Maximum number of epochs: beyond it, a small dataset is memorized."""
LARGEST_BATCH = 16
MOST_BETWEEN = 500
"""Maximum number of steps between validations, and between checkpoints."""
WARM_UP = 0.06
"""Share of the steps used for warm-up."""
CHARACTERS_OF_A_TOKEN = 2.5
"""A cautious estimate where no tokenizer is here; in languages that it does not know a token holds
fewer."""
LENGTHS = (128, 256, 512, 1024, 2048)
PROMPT_TOKENS = 100
ANSWERS = (16, 32, 64, 128)
FEW_DOCUMENTS = 13
"""Number of validation documents below which candidates can hardly be told apart
(docs/choice.md)."""
RATES = (
    (50_000_000, "1e-2", "a base of less than 50 MB, like the demo's"),
    (2_000_000_000, "1e-3", "a base of less than 2 GB"),
)
"""Learning rates of LoRA by the size of the largest base's folder, with comments."""
RATE_OF_THE_REST = (
    "2e-4",
    "for a base of more than 2 GB, or one from the hub; 1e-3 for a small one",
)


@dataclass(frozen=True)
class Schedule:
    """Length of a training."""

    epochs: int
    batch_size: int
    warmup_steps: int
    logging_steps: int
    validation_steps: int
    per_epoch: int
    """Optimizer steps per epoch."""

    @property
    def steps(self) -> int:
        """Total number of optimizer steps."""
        return self.per_epoch * self.epochs


def schedule(questions: int) -> Schedule:
    """Choose epochs, batch and warm-up for a number of training questions, at least one."""
    batch = LARGEST_BATCH
    while batch > 1 and steps_per_epoch(questions, batch) < FEW_STEPS:
        batch //= 2
    per_epoch = steps_per_epoch(questions, batch)
    epochs = min(MOST_EPOCHS, max(1, round(STEPS / per_epoch)))
    steps = per_epoch * epochs
    logging = max(1, min(50, steps // 50))
    return Schedule(
        epochs=epochs,
        batch_size=batch,
        # a training of one step has no warm-up
        warmup_steps=min(steps - 1, max(1, round(WARM_UP * steps))),
        logging_steps=logging,
        validation_steps=logging * max(1, min(per_epoch, MOST_BETWEEN) // logging),
        per_epoch=per_epoch,
    )


def first_settings(
    found: FirstLook, language: str | None, bases: Path, candidates: Mapping[str, str]
) -> str:
    """Return the text of `params.yaml`.

    Args:
        found: the questions.
        language: code of their language; None if unknown.
        bases: folder of the local base models.
        candidates: base models by candidate name.
    """
    data = found.settings
    known = languages().get(language or "")
    words = known.prompt if known else languages()["en"].prompt
    chosen = schedule(found.learned)
    rate, reason = learning_rate(candidates)
    context, answer = tokens([found.longest("context"), found.longest("answer")], candidates)
    documents = found.dataset.metrics().validation.documents
    few = f"Only {documents} documents are in the exam. All questions compare with"
    enough = "To compare on all questions:"
    values = {
        "bases": _text(bases.as_posix()),
        "source": _text(data.source),
        "format": data.format,
        "train": _text(data.train),
        "held_out": _held_out(found),
        "columns": _columns(found),
        "unanswerable": _text(data.unanswerable),
        "language": _text(language) if known else f"{_text(language)}  # unknown to this library",
        "context_word": words[0],
        "question_word": words[1],
        "answer_word": words[2],
        "questions": f"{found.learned:,} questions",
        "batch_size": chosen.batch_size,
        "per_epoch": f"{chosen.per_epoch:,}",
        "steps": f"{chosen.steps:,}",
        "epochs": chosen.epochs,
        "max_length": _enough(context + answer + PROMPT_TOKENS, LENGTHS),
        "longest_context": f"{context:,}",
        "learning_rate": rate,
        "rate_reason": reason,
        "warmup_steps": chosen.warmup_steps,
        "logging_steps": chosen.logging_steps,
        "validation_steps": chosen.validation_steps,
        "articles": _text(language) if known else NONE,
        "max_new_tokens": _enough(answer, ANSWERS),
        "longest_answer": f"{answer:,}",
        "repeats_reason": f"{few if documents < FEW_DOCUMENTS else enough}\n# {FOLDS}",
        "model_key": "QA" if language is None else f"QA{language.upper()}",
        "candidates": "\n".join(
            f"  {_text(name)}:\n    base_model: {_text(base)}" for name, base in candidates.items()
        ),
    }
    template = files("vestibular.commands").joinpath("params.yaml.template")
    return Template(template.read_text(encoding="utf-8")).substitute(values)


def learning_rate(candidates: Mapping[str, str]) -> tuple[str, str]:
    """Return a learning rate for the largest of the bases, and a comment."""
    folders = [Path(base) for base in candidates.values()]
    if not all(folder.is_dir() for folder in folders):
        return RATE_OF_THE_REST
    size = max(
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        for folder in folders
    )
    return next(((rate, why) for most, rate, why in RATES if size < most), RATE_OF_THE_REST)


def tokens(texts: Sequence[str], candidates: Mapping[str, str]) -> list[int]:
    """Return how many tokens each text takes, at most, by the tokenizers of the bases.

    Args:
        texts: a context, an answer.
        candidates: base models by candidate name. For a base that has no `tokenizer.json` here,
            such as one on the hub, the number is estimated.

    Raises:
        BaseModelError: a tokenizer cannot be read.
    """
    # imported here: what prints a help text needs none
    from tokenizers import Tokenizer

    counts = []
    for base in candidates.values():
        file = Path(base) / "tokenizer.json"
        if not file.is_file():
            counts.append([math.ceil(len(text) / CHARACTERS_OF_A_TOKEN) for text in texts])
            continue
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises no class of its own
            raise BaseModelError(f"{file}: cannot be read as a tokenizer ({error})") from None
        encoded = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
        counts.append([len(each.ids) for each in encoded])
    return [max(each) for each in zip(*counts, strict=True)]


def _held_out(found: FirstLook) -> str:
    data = found.settings
    if data.validation is not None:
        return f"  validation: {_text(data.validation)}"
    return (
        f"  validation_size: {data.validation_size:g}  # of the questions, in whole documents; or "
        "validation: a separate file"
    )


def _columns(found: FirstLook) -> str:
    columns = found.settings.columns
    if columns is None:
        return "  # SQuAD's JSON needs no columns"
    named = columns.model_dump(exclude_none=True).items()
    pairs = ", ".join(f"{what}: {_text(name)}" for what, name in named)
    several = '  # several answers in a cell: a JSON list, ["one", "two"]'
    return f"{several}\n  columns: {{{pairs}}}"


def _enough(tokens: int, sizes: tuple[int, ...]) -> int:
    return next((size for size in sizes if size >= tokens), sizes[-1])


def _text(value: str | None) -> str:
    """Format a text as YAML, if possible without quotes; JSON strings are valid YAML."""
    if value is None:
        return "null"
    plain = value.isascii() and value.replace("-", "").replace("_", "").isalnum()
    paths = plain or (value.isascii() and value[:1].isalpha() and not set(value) - PATH_LETTERS)
    if paths and value[:1].isalpha() and value.lower() not in YAML_WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


PATH_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")
YAML_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
