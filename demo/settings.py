"""The settings of the demo, read from `params.yaml`."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt

DEMO = Path(__file__).parent


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SplitSettings(_Settings):
    """How one question file is made."""

    titles: PositiveInt
    """Number of invented universities."""
    invented_share: float = Field(ge=0, le=1)
    """Fraction of open-class words that are built from syllables."""
    references: PositiveInt
    """Reference answers of each question."""


class QuestionSettings(_Settings):
    """How the question files are made."""

    seed: NonNegativeInt
    """Seed of everything drawn."""
    questions_per_context: PositiveInt
    """Most questions about one paragraph."""
    variant_share: float = Field(ge=0, le=1)
    """Fraction of the further references whose span is shorter or longer than the first's."""
    train: SplitSettings
    dev: SplitSettings


class TokenizerSettings(_Settings):
    """How the tokenizers are trained."""

    seed: NonNegativeInt
    """Seed of the documents that they are trained on."""
    documents: PositiveInt
    """Number of these documents."""
    prompts: PositiveInt
    """How often the prompt's fixed words are repeated among them."""
    vocabulary: int = Field(ge=300)
    """Number of tokens, special ones included."""


class CorpusSettings(_Settings):
    """What the pre-training documents are like. Shares are fractions in [0, 1]."""

    invented_share: float = Field(ge=0, le=1)
    """Open-class words that are invented."""
    coined_share: float = Field(ge=0, le=1)
    """Ready phrases in which such a word takes the place of the last one."""
    spliced_share: float = Field(ge=0, le=1)
    """Invented words that join the front of a known word and the back of another."""
    record_share: float = Field(ge=0, le=1)
    """Documents that restate their facts as records."""
    dialogue_share: float = Field(ge=0, le=1)
    """Documents that restate them as questions with whole sentences as answers."""
    catechism_share: float = Field(ge=0, le=1)
    """Documents that restate them as questions with bare values as answers."""
    drill_share: float = Field(ge=0, le=1)
    """Documents of the first two phases that are kept to the end."""
    lists_until: float = Field(ge=0, le=1)
    """End of the phase of lists, as a fraction of the steps."""
    pairs_until: float = Field(ge=0, le=1)
    """End of the phase of pairs, as a fraction of the steps."""
    small_until: float = Field(ge=0, le=1)
    """End of the phase of short texts, as a fraction of the steps."""


class BaseSettings(_Settings):
    """Shape and training of one base model."""

    architecture: Literal["gpt2", "opt"]
    layers: PositiveInt
    heads: PositiveInt
    width: PositiveInt
    """Size of the hidden state."""
    feed_forward: PositiveInt
    """Size of the feed-forward layer."""
    positions: PositiveInt
    """Longest sequence, in tokens."""
    seed: NonNegativeInt
    """Seed of the initial weights and of the documents."""
    steps: PositiveInt
    """Optimizer steps."""
    batch_size: PositiveInt
    """Documents in a step."""
    matrix_learning_rate: PositiveFloat
    """Learning rate of Muon, which trains the matrices inside the layers."""
    learning_rate: PositiveFloat
    """Learning rate of AdamW, which trains embeddings, biases and norms."""


class Settings(_Settings):
    """All settings of the demo."""

    questions: QuestionSettings
    tokenizer: TokenizerSettings
    corpus: CorpusSettings
    bases: dict[str, BaseSettings]


def load_settings(path: Path = DEMO / "params.yaml") -> Settings:
    """Reads and checks the settings.

    Raises:
        pydantic.ValidationError: A setting is missing, unknown or out of its range.
    """
    return Settings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
