"""Base of all groups of settings: how they are checked, and how faults are explained.

`params.yaml` holds the values; each package's `settings` module holds the types and ranges of its
own settings, and `vestibular.params` joins them all.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vestibular.core.errors import ParamsError

PLACEHOLDERS = ("{context}", "{question}")
UNION_BRANCHES = ("str", "tuple[str, ...]", "constrained-int", "bool", "literal['auto']")
"""Parts that pydantic adds to the path of a fault in a value of several types."""
MOVED = {
    "select.when_tied": "no longer exists: a cheaper candidate wins if it is shown to be at most "
    "`select.margin` worse and saves `select.minimum_saving` of the cost; write `margin: 0.03`, "
    "`minimum_saving: 0.10` and `must_beat_clearly: false` instead",
    "train.seeds": "is now part of `repeats`: write `repeats: [seed-7]` at the top level for a "
    "training with the seed 7",
    "evaluate.folds": "is now part of `repeats`: write `repeats: [fold-1, fold-2, fold-3]` at the "
    "top level for three folds",
}
"""Settings of earlier versions, and what replaced them."""

LORA = ("r", "alpha", "dropout", "target_modules")
"""Settings of the adapter, often misplaced outside `lora`."""
ABBREVIATED = {"lr": "learning_rate", "rank": "r", "batch": "batch_size", "warmup": "warmup_steps"}
"""Common names of settings that do not resemble ours."""

Quantization = Literal["none", "8bit", "4bit"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Arithmetic = Literal["auto", "portable", "native"]
TokenBudget = Annotated[int, Field(gt=0)] | Literal["auto"]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
Location = tuple[int | str, ...]
"""Keys and list positions that lead to a value in a settings file."""


class Settings(BaseModel):
    """A group of settings: frozen, strictly typed, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
    )


class PromptSettings(Settings):
    """How a question is put to a model."""

    template: str
    """The prompt, with `{context}` and `{question}` once each."""
    answer_prefix: str
    """Text between the prompt and the answer; its tokens belong to the answer."""
    chat: bool
    """Whether the prompt is sent as a user message through the tokenizer's chat template."""
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the template, such as `enable_thinking: false`."""

    @field_validator("template")
    @classmethod
    def _has_both_placeholders(cls, template: str) -> str:
        for placeholder in PLACEHOLDERS:
            if (count := template.count(placeholder)) != 1:
                raise ValueError(f"must contain {placeholder} exactly once (found {count} times)")
        return template


S = TypeVar("S", bound=Settings)


def validate(
    model: type[S],
    values: Mapping[str, Any],
    path: Path,
    locate: Callable[[Location], Location | None] = lambda location: location,
    faults: Iterable[str] = (),
) -> S:
    """Check values against a group of settings.

    Args:
        model: the group.
        values: its values.
        path: the file of the values, for messages.
        locate: maps a position in `values` to where the user wrote it; None if another fault
            already names it.
        faults: faults already found in the file.

    Raises:
        ParamsError: lists every fault, one per line, each with the path of its key.
    """
    found, checked = list(faults), None
    try:
        checked = model.model_validate(values)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            location = locate(_without_types(fault["loc"]))
            # pydantic calls a list too short if it has already refused its items
            stale = fault["type"] == "too_short" and fault["input"]
            if location is not None and not stale:
                found.append(f"{'.'.join(map(str, location))}: {_explain(fault, location)}")
    if found or checked is None:
        raise ParamsError("\n".join(f"{path}: {fault}" for fault in dict.fromkeys(found)))
    return checked


def _without_types(location: Location) -> Location:
    # a candidate's name is free, and may equal a type's
    named = 2 if location[:1] == ("candidates",) else 0
    return (*location[:named], *(part for part in location[named:] if part not in UNION_BRANCHES))


def _explain(fault: Any, location: Location) -> str:
    """Put a fault found by pydantic into words."""
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "extra_forbidden":
        moved = MOVED.get(".".join(map(str, location)))
        return moved or "is not a setting" + _suggest(location, fault["input"])
    message = str(fault["msg"]).removeprefix("Value error, ")
    message = message.replace("Input should be", "must be")
    if fault["type"] == "value_error":
        return message
    # a version `1.0`, a commit of digits only, a date
    mistaken = fault["type"] == "string_type" and isinstance(fault["input"], int | float | date)
    quotes = "; YAML reads it as that: put it in quotes if it is text" if mistaken else ""
    return f"{message[0].lower()}{message[1:]} (got {_shorten(fault['input'])}){quotes}"


def _suggest(location: Location, value: object) -> str:
    """Suggest the setting that may be meant: one inside a group, or one with a similar name."""
    key = str(location[-1])
    if key in LORA and "lora" not in location:
        return f"; did you mean lora: {{{key}: {_shorten(value)}}}?"
    known = {name for group in _groups(Settings) for name in group.model_fields}
    close = (
        [ABBREVIATED.get(key)]
        if key in ABBREVIATED
        else difflib.get_close_matches(key, sorted(known), n=1)
    )
    return f"; did you mean {close[0]}?" if close else ""


def _groups(group: type[Settings]) -> list[type[Settings]]:
    below = [each for one in group.__subclasses__() for each in _groups(one)]
    return [group, *below]


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
