"""The settings: what `params.yaml` may say, read once and checked whole.

`params.yaml` holds the values; this module holds their types and ranges. A candidate is a base
model and, beside it, whatever part of `train` it wants otherwise.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vestibular.core.errors import ParamsError
from vestibular.core.files import whole_file
from vestibular.core.layout import PARAMS

CANDIDATE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
PLACEHOLDERS = ("{context}", "{question}")
UNION_BRANCHES = ("str", "tuple[str, ...]", "constrained-int", "bool", "literal['auto']")
"""What pydantic adds to the path of a fault in a value of several types."""

Metric = Literal["exact_match", "f1"]
ReferencePoint = Literal[
    "untouched_base", "empty_answer", "whole_context", "overlap_sentence", "annotators"
]
MirrorTarget = Literal["neptune", "mlflow"]
Quantization = Literal["none", "8bit", "4bit"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
TokenBudget = Annotated[int, Field(gt=0)] | Literal["auto"]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Settings(BaseModel):
    """A group of settings: frozen, strictly typed, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class Columns(Settings):
    """Which column of a table holds what; the ones that it lacks are left out here."""

    context: str
    """The text that holds the answer."""
    question: str
    """What is asked."""
    answers: str
    """The reference answers: one text, or a list (see `tables.py`)."""
    answer_start: str | None = None
    """Where each answer stands in the context, in characters."""
    id: str | None = None
    """The question's name; without it, the file's name and the row."""
    title: str | None = None
    """Document that the context is from; without it, each context is one."""
    is_impossible: str | None = None
    """Whether the context does not hold the answer."""


class Files(Settings):
    """Something about each of the two files."""

    train: str
    """About the file of training questions."""
    validation: str | None = None
    """About the file of validation questions, if there is one."""


class HubDataset(Settings):
    """A dataset on the Hugging Face hub, whose splits `vestibular fetch` makes the files of."""

    id: str = Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")
    """Its name there, `owner/name`."""
    revision: str
    """Commit, 40 hexadecimal digits; `vestibular pin` writes it."""
    config: str | None = None
    """Its configuration, if it has several."""
    splits: Files
    """Its split for each file."""


class DataSettings(Settings):
    """Where the questions are, and how they are divided."""

    source: str = Field(min_length=1)
    """Folder with the dataset's files; DVC watches it."""
    format: Literal["squad", "jsonl", "csv", "parquet"]
    """SQuAD's JSON (v1.1 or v2.0), or a table with one question a row."""
    train: str = Field(min_length=1)
    """File with the training questions, within `source`."""
    validation: str | None = Field(default=None, min_length=1)
    """File with the questions that the candidates are examined on, within `source`."""
    validation_size: float | None = Field(default=None, gt=0, lt=1)
    """Without such a file: fraction of the questions that is held out, by whole documents."""
    columns: Columns | None = None
    """Only for a table: what its columns are called."""
    unanswerable: str | None = Field(min_length=1)
    """What to answer where the context holds no answer; brings SQuAD v2.0's rules of scoring.
    `null` if every question has one."""
    leaks: Literal["report", "drop_from_train", "fail"]
    """What to do if training questions give validation answers away (see `leaks.py`)."""
    sha256: Files | None = None
    """The files' SHA-256, to be sure that they are the right ones."""
    urls: Files | None = None
    """Addresses that `vestibular fetch` downloads the files from."""
    hub: HubDataset | None = None
    """Dataset on the hub that `vestibular fetch` makes the files from, as Parquet."""
    language: str | None = Field(None, pattern="^[a-z]{2,3}$")
    """The questions' language, in ISO 639's letters (`pt`), for the model card and for the
    report's results by question word; nothing if it is not known."""
    license: str | None = Field(None, min_length=1)
    """The data's licence as the Hugging Face hub writes it (`cc-by-4.0`), for the model card;
    nothing if it is not known."""

    @model_validator(mode="after")
    def _fits_together(self) -> "DataSettings":
        if (self.validation is None) == (self.validation_size is None):
            raise ValueError("name a validation file or a validation_size, one of the two")
        if (self.columns is None) != (self.format == "squad"):
            raise ValueError(
                "columns are for a table: say what those of the file are called, or leave them "
                "out if format is squad"
            )
        if self.urls and self.hub:
            raise ValueError("urls and hub exclude each other: the files come from one place")
        if self.hub and self.format != "parquet":
            raise ValueError("hub makes Parquet files: write format: parquet")
        return self


class PromptSettings(Settings):
    """How a question is put to a model."""

    template: str
    """The prompt, with `{context}` and `{question}` once each."""
    answer_prefix: str
    """What stands between the prompt and the answer; belongs to the answer's tokens."""
    chat: bool
    """Whether the prompt is sent as a user's message, by the tokenizer's own chat template."""

    @field_validator("template")
    @classmethod
    def _has_both_placeholders(cls, template: str) -> str:
        for placeholder in PLACEHOLDERS:
            if (count := template.count(placeholder)) != 1:
                raise ValueError(f"must hold {placeholder} exactly once (found {count} times)")
        return template


class LoraSettings(Settings):
    """The low-rank adapter, as peft's `LoraConfig` takes it."""

    r: int = Field(gt=0)
    """Rank of the update."""
    alpha: int = Field(gt=0)
    """Scale of the update: it is multiplied by alpha / r."""
    dropout: float = Field(ge=0, lt=1)
    """Probability of dropping an input of the adapter in training."""
    target_modules: str | Names
    """`auto` for the architecture's usual ones, `all-linear`, or names as peft takes them."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Whatever else peft's `LoraConfig` takes: `use_dora`, `use_rslora`, `rank_pattern`..."""


class TrainSettings(Settings):
    """How a candidate is fine-tuned."""

    method: Literal["lora", "full"]
    """What is trained: a low-rank adapter on the frozen base, or all weights."""
    quantization: Quantization
    """Precision of the frozen base's weights: that of `precision`, or 8 or 4 bit."""
    precision: Precision
    """Numbers that are computed with; `auto`: bfloat16 or float16 on a GPU, float32 on a CPU."""
    loss: Literal["answer", "full"]
    """Tokens that are learned: the answer and its end, or the prompt as well."""
    batching: Literal["shared_context", "padded", "padded_to_max_length"]
    """`shared_context` encodes a context once for all its questions; `padded` once for each,
    as long as the longest beside it; `padded_to_max_length` always as long as `max_length`."""
    epochs: int = Field(gt=0)
    """Times that every training question is seen."""
    batch_size: int = Field(gt=0)
    """Questions an optimizer step."""
    max_tokens_per_batch: TokenBudget
    """Tokens in one forward pass; more questions than fit are accumulated. `auto`: as many as
    the memory has room for (by the same estimate as `vestibular plan`)."""
    max_length: int = Field(gt=0)
    """Longest prompt and answer together, in tokens; the model's own limit holds as well."""
    learning_rate: float = Field(gt=0)
    """Peak learning rate of AdamW."""
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"]
    """How the learning rate goes on after the warm-up."""
    warmup_steps: int = Field(ge=0)
    """Optimizer steps until the peak learning rate."""
    weight_decay: float = Field(ge=0)
    """AdamW's decoupled weight decay."""
    max_gradient_norm: float = Field(gt=0)
    """Norm that longer gradients are clipped to."""
    gradient_checkpointing: bool | Literal["auto"]
    """Recompute activations in the backward pass: less memory, more time. `auto`: only if the
    memory has no room otherwise."""
    logging_steps: int = Field(gt=0)
    """Optimizer steps between two points of the loss curve."""
    validation_steps: int = Field(gt=0)
    """Optimizer steps between two validation losses; a multiple of `logging_steps`."""
    checkpoint_steps: int = Field(gt=0)
    """Optimizer steps between two checkpoints; a multiple of `logging_steps`."""
    lora: LoraSettings
    """The adapter."""
    seeds: Annotated[tuple[Seed, ...], Field(strict=False)]
    """Further seeds to train with, beside `seed`, to see how much a score owes to chance."""

    @field_validator("validation_steps", "checkpoint_steps")
    @classmethod
    def _falls_on_a_logging_step(cls, steps: int, info: Any) -> int:
        # between two logging steps the Trainer holds a running loss that no checkpoint keeps
        logging_steps = info.data.get("logging_steps")
        if logging_steps and steps % logging_steps:
            raise ValueError(f"must be a multiple of logging_steps ({logging_steps})")
        return steps

    @field_validator("quantization")
    @classmethod
    def _is_frozen(cls, quantization: str, info: Any) -> str:
        if quantization != "none" and info.data.get("method") == "full":
            raise ValueError("only a frozen base can be quantized; write none, or method: lora")
        return quantization


class EvaluateSettings(Settings):
    """How a candidate is examined."""

    articles: Literal["pt", "en", "none"]
    """Language whose articles do not count in a comparison of answers."""
    max_new_tokens: int = Field(gt=0)
    """Longest answer, in tokens."""
    max_tokens_per_batch: TokenBudget
    """Tokens of prompts and answers that are held at a time; `auto`: as many as the memory has
    room for."""
    window_overlap: float = Field(ge=0, lt=1)
    """Of a context that is too long for the model, the fraction of each window that the next
    one repeats; an answer that is longer than the overlap may be cut."""
    folds: Annotated[tuple[int, ...], Field(strict=False)]
    """Folds of the cross-validation, `[1, 2, 3, 4, 5]` for five; `[]` for none. A list, not a
    number, since DVC makes a stage of each item and cannot count."""

    @field_validator("folds", mode="before")
    @classmethod
    def _is_no_number(cls, folds: object) -> object:
        if isinstance(folds, int):
            numbers = ", ".join(str(fold) for fold in range(1, min(folds, 10) + 1))
            raise ValueError(f"DVC needs the folds one by one: write [{numbers}] (got {folds})")
        return folds

    @field_validator("folds")
    @classmethod
    def _counts_from_one(cls, folds: tuple[int, ...]) -> tuple[int, ...]:
        if folds != tuple(range(1, len(folds) + 1)) or len(folds) == 1:
            raise ValueError(f"must count from 1, as [1, 2, 3], or be [] (got {list(folds)})")
        return folds


class Constraints(Settings):
    """What a candidate must keep to, whatever it scores; a limit that is left out is none.

    All but the last two are measured on the machine that evaluates.
    """

    max_peak_memory_bytes: int | None = Field(None, gt=0)
    """Most memory in evaluation, in bytes: the accelerator's, or the process's without one."""
    max_latency_p95_seconds: float | None = Field(None, gt=0)
    """Time in which 95 of 100 answers must come, one question at a time, in seconds."""
    min_answers_per_second: float | None = Field(None, gt=0)
    """Answers a second in evaluation, a context's questions together."""
    max_model_bytes: int | None = Field(None, gt=0)
    """The base model in memory, in bytes, as `train.quantization` stores it."""
    max_trainable_parameters: int | None = Field(None, gt=0)
    """Parameters of the adapter."""


class SelectSettings(Settings):
    """How the candidate for production is chosen."""

    rule: Literal["vestibular", "published"]
    """`vestibular` is what the settings below say; `published` is the plain sort by exact
    match, then F1, of which the others decide nothing."""
    metric: Metric
    """Score that decides."""
    tie_breakers: Annotated[tuple[Metric, ...], Field(strict=False)]
    """Scores that rank candidates with an equal `metric`, the first one first."""
    must_beat: Annotated[tuple[ReferencePoint, ...], Field(strict=False)]
    """Reference points that a candidate's `metric` must be above; `untouched_base` is its own."""
    allow_below_reference: bool
    """Promote the best even if no candidate is above all of `must_beat`."""
    when_tied: Literal["cheapest", "best_point_estimate"]
    """Which of the candidates wins that are not significantly worse than the leader."""
    cost: Literal["flops", "seconds", "bytes"]
    """What is cheap: few floating-point operations an answer (the same on every machine), few
    seconds an answer as measured, or few bytes of the base model."""
    constraints: Constraints
    """Limits; a candidate beyond one stays in the table and cannot win."""

    @field_validator("tie_breakers", "must_beat")
    @classmethod
    def _names_each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("names one twice")
        return names


class RegistrySettings(Settings):
    """What the chosen models are called where versions of them are kept."""

    artifact: str = Field(pattern=r"^[a-z](-?[a-z0-9]+)+$")
    """Name of the model in git's tags and in MLflow; `artifacts` of `dvc.yaml` has the same."""
    model_key: str = Field(pattern=r"^[A-Z][A-Z0-9]{1,9}$")
    """Neptune's key of the model: capital letters and digits."""


class Candidate(Settings):
    """A base model with the settings that it is fine-tuned with."""

    base_model: str = Field(min_length=1)
    """A folder, or the id of a model on the Hugging Face hub."""
    revision: str | None = None
    """The hub's commit, 40 hexadecimal digits, which `vestibular pin` writes; only for a hub id."""
    train: TrainSettings
    """`train` with the candidate's own values in place."""


class Params(Settings):
    """All of `params.yaml`."""

    seed: Seed
    """Seed of everything that is drawn."""
    bases: str = Field(min_length=1)
    """Folder that holds the base models that are not on the hub; DVC watches it."""
    data: DataSettings
    prompt: PromptSettings
    train: TrainSettings
    evaluate: EvaluateSettings
    select: SelectSettings
    mirror: Annotated[tuple[MirrorTarget, ...], Field(strict=False)]
    """Services that `vestibular mirror` shows the runs to; none of them is needed by anything."""
    registry: RegistrySettings
    candidates: dict[str, Candidate]

    @field_validator("data")
    @classmethod
    def _names_two_files(cls, data: DataSettings) -> DataSettings:
        if data.validation is not None and Path(data.validation) == Path(data.train):
            raise ValueError(
                "train and validation are the same file; name another one, or leave validation "
                "out and write a validation_size"
            )
        return data

    @field_validator("train")
    @classmethod
    def _names_other_seeds(cls, train: TrainSettings, info: Any) -> TrainSettings:
        seeds = (info.data.get("seed"), *train.seeds)
        if len(set(seeds)) < len(seeds):
            raise ValueError("seeds: names `seed`, or one twice")
        return train

    def candidate(self, name: str) -> Candidate:
        """Return the candidate called `name`.

        Raises:
            ParamsError: there is none of that name.
        """
        if name not in self.candidates:
            known = ", ".join(self.candidates)
            raise ParamsError(f"{PARAMS}: candidates.{name}: no such candidate ({known})")
        return self.candidates[name]


class _Loader(yaml.SafeLoader):
    """PyYAML with YAML 1.2's floats, as DVC reads them, and without repeated keys."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # as it is written: later on, what is merged in (`<<`) stands beside what overrides it
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="braces or brackets in the place of a key; put a text that begins "
                    "with one in quotes",
                    problem_mark=key_node.start_mark,
                )
            if key_node.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key_node.value!r} stands here twice",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key_node.value)
        return node


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:float"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# Source: YAML 1.2.2, section 10.3.2, the core schema's regular expressions
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises:
        ParamsError: the file is missing, is not YAML, or is something else than a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParamsError(
            f"{path}: not found; run the command in the project's top folder"
        ) from None
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not UTF-8 text ({error.reason})") from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> dict[str, Any]:
    """Parse YAML whose top level is a mapping; `path` says in messages where it is from.

    Raises:
        ParamsError: the text is not YAML, or is something else than a mapping.
    """
    try:
        # the loader is a SafeLoader
        content = yaml.load(text, _Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise ParamsError(f"{path}:{line} not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not YAML: {error}") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: must be a mapping of settings, not {_kind(content)}")
    return content


def replace_values(path: Path, values: Mapping[tuple[str, ...], str]) -> None:
    """Write texts into a YAML file in place of those at the given keys; all else stays.

    A key whose neighbours are there, but not itself, is put behind the first of them.

    Raises:
        ParamsError: the file is not YAML, a key's mapping is not in it, or what stands there is
            another place's too (a YAML alias).
    """
    expected = read_yaml(path)
    text = path.read_text(encoding="utf-8")
    edits = []
    for keys, value in values.items():
        node: Any = yaml.compose(text, _Loader)
        for key in keys[:-1]:
            node = next((below for name, below in node.value if name.value == key), None)
            if not isinstance(node, yaml.MappingNode):
                raise ParamsError(f"{path}: {'.'.join(keys)}: there is no such mapping")
        found = [below for name, below in node.value if name.value == keys[-1]]
        if found:
            edits.append((found[0].start_mark.index, found[0].end_mark.index, value))
            continue
        name, below = node.value[0]
        between = ", " if node.flow_style else f"\n{' ' * name.start_mark.column}"
        end = below.end_mark.index
        edits.append((end, end, f"{between}{keys[-1]}: {value}"))
    for start, end, value in sorted(edits, reverse=True):
        text = text[:start] + value + text[end:]
    for keys, value in values.items():
        expected = _with_value(expected, keys, value)
    try:
        written = parse_yaml(text, path)
    except ParamsError:
        written = None
    if written != expected:
        wanted = ", ".join(f"{'.'.join(keys)}: {value}" for keys, value in values.items())
        raise ParamsError(
            f"{path}: a value behind a YAML alias or merge cannot be written without changing "
            f"others; write by hand {wanted}"
        )
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _with_value(content: Mapping[str, Any], keys: tuple[str, ...], value: str) -> dict[str, Any]:
    """Return a mapping with one value replaced; what is shared by an alias is not changed."""
    below = _with_value(content[keys[0]], keys[1:], value) if len(keys) > 1 else value
    return {**content, keys[0]: below}


def load_params(path: Path = PARAMS) -> Params:
    """Read and check all settings.

    Raises:
        ParamsError: with every fault, one a line, each with the path of its key.
    """
    content = read_yaml(path)
    faults, candidates = _merge_candidates(content)
    merged = content if candidates is None else {**content, "candidates": candidates}
    params = None
    try:
        params = Params.model_validate(merged)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            location = _own_location(fault["loc"], content)
            # pydantic calls a list too short whose items it has refused already
            stale = fault["type"] == "too_short" and fault["input"]
            if location is not None and not stale:
                faults.append(f"{'.'.join(map(str, location))}: {_explain(fault, location)}")
    if faults or params is None:
        raise ParamsError("\n".join(f"{path}: {fault}" for fault in dict.fromkeys(faults)))
    return params


def _merge_candidates(
    content: Mapping[str, Any],
) -> tuple[list[str], dict[str, Any] | None]:
    """Give each candidate all of `train`, its own values on top; report what cannot be."""
    faults: list[str] = []
    candidates = content.get("candidates")
    if not isinstance(candidates, Mapping):
        return faults, None
    if not candidates:
        faults.append("candidates: is empty; name at least one base model")
    shared = content.get("train")
    merged = {}
    spellings: dict[str, str] = {}
    for name, own in candidates.items():
        other = spellings.setdefault(str(name).lower(), str(name))
        if other != str(name):
            faults.append(
                f"candidates.{name}: differs from {other} in case alone, and some systems take "
                "their files for the same"
            )
        if not isinstance(name, str):
            faults.append(f"candidates.{name}: YAML takes this name for {name!r}; put it in quotes")
        elif not CANDIDATE_NAME.fullmatch(name):
            faults.append(
                f"candidates.{name}: a candidate's name may hold letters, digits, '_' and '-' "
                "only (a dot would split the name for DVC)"
            )
        elif not isinstance(own, Mapping):
            faults.append(f"candidates.{name}: must be a mapping, not {_kind(own)}")
        elif "seeds" in own:
            faults.append(f"candidates.{name}.seeds: all candidates have those of train.seeds")
        elif isinstance(shared, Mapping):
            keys = ("base_model", "revision")
            overrides = {key: value for key, value in own.items() if key not in keys}
            merged[name] = {
                **{key: own[key] for key in keys if key in own},
                "train": _overlay(shared, overrides),
            }
    return faults, merged


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` with the values of `above` in place, mappings merged key by key."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        result[key] = _overlay(under, value) if both else value  # type: ignore[arg-type]
    return result


def _own_location(
    location: tuple[int | str, ...], content: Mapping[str, Any]
) -> tuple[int | str, ...] | None:
    """Return where the user wrote what pydantic complains of; None if that is `train` itself."""
    # the name of a candidate is its own, whatever it is
    named = 2 if location[0] == "candidates" else 0
    rest = (part for part in location[named:] if part not in UNION_BRANCHES)
    location = (*location[:named], *rest)
    if len(location) > 3 and location[0] == "candidates" and location[2] == "train":
        location = (*location[:2], *location[3:])
        written: Any = content
        for part in location:
            if isinstance(written, Mapping) and part not in written:
                return None
            written = written[part] if isinstance(written, Mapping) else None
    return location


def _explain(fault: Any, location: Iterable[int | str]) -> str:
    """Put one of pydantic's faults into words."""
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "extra_forbidden":
        return "is not a setting" + _suggest(str(list(location)[-1]))
    message = str(fault["msg"]).removeprefix("Value error, ")
    message = message.replace("Input should be", "must be")
    if fault["type"] == "value_error":
        return message
    return f"{message[0].lower()}{message[1:]} (got {_shorten(fault['input'])})"


def _suggest(key: str) -> str:
    known = {
        name
        for group in Settings.__subclasses__()
        for name in group.model_fields
        if group is not Candidate
    } | {"base_model", "revision"}
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _kind(value: object) -> str:
    return {"NoneType": "nothing", "str": "text", "list": "a list"}.get(
        type(value).__name__, type(value).__name__
    )
