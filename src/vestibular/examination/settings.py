"""Settings of the exam: `evaluate` in `params.yaml`."""

from typing import Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from vestibular.core.settings import PromptSettings, Settings, TokenBudget
from vestibular.scoring.languages import NONE, known_to
from vestibular.scoring.normalization import Normalization


class EvaluateSettings(Settings):
    """How a candidate is examined."""

    normalization: Literal["squad", "mlqa"]
    """Normalization of answers before comparison: `squad` drops ASCII punctuation, `mlqa` the
    punctuation of all scripts, and splits Chinese into characters."""
    articles: str
    """Language whose articles are dropped before comparison, one of `languages.json` (`pt`), or
    `none`. MLQA's rules know `en`, `es`, `de`, `vi`, `ar`, `zh` and `hi`."""
    max_new_tokens: int = Field(gt=0)
    """Maximum length of an answer, in tokens."""
    max_tokens_per_batch: TokenBudget
    """Maximum number of tokens of prompts and answers in memory; `auto`: as many as fit."""
    window_overlap: float = Field(ge=0, lt=1)
    """For a context that is too long for the model, the fraction of each window that the next one
    repeats; an answer longer than the overlap may be cut."""

    @field_validator("articles")
    @classmethod
    def _is_known_to_the_rules(cls, articles: str, info: ValidationInfo) -> str:
        # a missing normalization is reported separately
        rules = info.data.get("normalization")
        if rules is not None and articles not in (known := known_to(rules)):
            what = f"must be one of {', '.join(known)} by {rules}'s rules (got {articles!r})"
            unknown = "; for another language write none: articles then count"
            raise ValueError(what + unknown if NONE in known else what)
        return articles

    @property
    def rules(self) -> Normalization:
        """Normalization of answers."""
        return Normalization(self.normalization, self.articles)


class UnanswerableSettings(Settings):
    """The part of `data` that the exam depends on."""

    model_config = ConfigDict(extra="ignore")

    unanswerable: str | None = None
    """Answer for questions that their context does not answer; see `data.settings`."""


class ExamParams(Settings):
    """The part of `params.yaml` that the stages `evaluate_base` and `evaluate` read."""

    prompt: PromptSettings
    data: UnanswerableSettings
    evaluate: EvaluateSettings
