"""Settings of the fine-tuning: `train` in `params.yaml`."""

from typing import Any, Literal

from pydantic import Field, field_validator

from vestibular.core.settings import (
    Arithmetic,
    Names,
    Precision,
    PromptSettings,
    Quantization,
    Seed,
    Settings,
    TokenBudget,
)


class LoraSettings(Settings):
    """The low-rank adapter, as peft's `LoraConfig` takes it."""

    r: int = Field(gt=0)
    """Rank of the update."""
    alpha: int = Field(gt=0)
    """Scale of the update, which is multiplied by alpha / r."""
    dropout: float = Field(ge=0, lt=1)
    """Probability of dropping an input of the adapter in training."""
    target_modules: str | Names
    """`auto` for the architecture's default modules, `all-linear`, or names as in peft."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further options of peft's `LoraConfig`: `use_dora`, `use_rslora`, `rank_pattern`..."""


class TrainSettings(Settings):
    """How a candidate is fine-tuned."""

    method: Literal["lora", "full"]
    """What is trained: a low-rank adapter on the frozen base, or all weights."""
    quantization: Quantization
    """Precision of the frozen base's weights: the same as `precision`, or 8 or 4 bit."""
    precision: Precision
    """Number format of the computation; `auto`: bfloat16 or float16 on a GPU; on a CPU bfloat16 for
    a model of at least 100 million parameters if the processor has instructions for it, otherwise
    float32."""
    arithmetic: Arithmetic
    """Arithmetic of a CPU: `portable` gives the same bytes on every x86-64 processor with AVX2;
    `native` uses the fastest instructions of the processor. `auto`: portable for models with fewer
    than five million parameters."""
    loss: Literal["answer", "full"]
    """Tokens to learn: the answer and its end, or the prompt as well."""
    batching: Literal["shared_context", "padded", "padded_to_max_length"]
    """`shared_context` encodes a context once for all its questions; `padded` once per question,
    padded to the longest in the batch; `padded_to_max_length` always padded to `max_length`."""
    epochs: int = Field(gt=0)
    """Number of times that every training question is seen."""
    batch_size: int = Field(gt=0)
    """Number of questions per optimizer step."""
    processes: int = Field(default=1, gt=0)
    """Number of processes that train together, each on its own GPU or on a share of the CPU's
    cores: each holds the whole model and computes a part of each step. At most `batch_size`."""
    max_tokens_per_batch: TokenBudget
    """Maximum number of tokens in a forward pass; gradients are accumulated over several passes.
    `auto`: as many as fit into memory (by the same estimate as `vestibular plan`)."""
    max_length: int = Field(gt=0)
    """Maximum length of prompt and answer together, in tokens; the model's own limit applies
    too."""
    learning_rate: float = Field(gt=0)
    """Peak learning rate of AdamW."""
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"]
    """Course of the learning rate after the warm-up."""
    warmup_steps: int = Field(ge=0)
    """Number of optimizer steps until the peak learning rate."""
    weight_decay: float = Field(ge=0)
    """AdamW's decoupled weight decay."""
    max_gradient_norm: float = Field(gt=0)
    """Maximum norm of the gradients; longer ones are clipped."""
    gradient_checkpointing: bool | Literal["auto"]
    """Recompute activations in the backward pass: less memory, more time. `auto`: only if the
    training would not fit otherwise."""
    logging_steps: int = Field(gt=0)
    """Optimizer steps between points of the loss curve."""
    validation_steps: int = Field(gt=0)
    """Optimizer steps between validation losses; a multiple of `logging_steps`."""
    checkpoint_steps: int = Field(gt=0)
    """Optimizer steps between checkpoints; a multiple of `logging_steps`."""
    lora: LoraSettings
    """Settings of the adapter."""

    @field_validator("processes")
    @classmethod
    def _has_a_question_for_each(cls, processes: int, info: Any) -> int:
        batch_size = info.data.get("batch_size")
        if batch_size and processes > batch_size:
            raise ValueError(f"must be at most batch_size ({batch_size})")
        return processes

    @field_validator("validation_steps", "checkpoint_steps")
    @classmethod
    def _falls_on_a_logging_step(cls, steps: int, info: Any) -> int:
        # between logging steps the Trainer keeps a running loss that no checkpoint contains
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


class TrainingParams(Settings):
    """The part of `params.yaml` that the stage `train` reads, for one candidate."""

    seed: Seed
    """Seed of the order of the questions and of dropout."""
    prompt: PromptSettings
    base_model: str
    revision: str | None = None
    train: TrainSettings
    """`train` overridden by the candidate's own values."""
