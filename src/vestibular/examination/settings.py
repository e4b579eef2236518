"""Settings of the exam: `evaluate` in `params.yaml`."""

from typing import Literal

from pydantic import ConfigDict, Field

from vestibular.core.settings import PromptSettings, Settings, TokenBudget


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


class UnanswerableSettings(Settings):
    """The part of `data` that the exam depends on."""

    model_config = ConfigDict(extra="ignore")

    unanswerable: str | None = None
    """What to answer where the context holds no answer; see `data.settings`."""


class ExamParams(Settings):
    """What the stages `evaluate_base` and `evaluate` read of `params.yaml`."""

    prompt: PromptSettings
    data: UnanswerableSettings
    evaluate: EvaluateSettings
