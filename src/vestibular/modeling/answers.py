"""Definition of an answer, and the ways of generating one.

An answer is what `generate` returns for one question at a time: the most likely token at each step,
without sampling, beams or penalties, until one of the model's end tokens or the limit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor
from transformers import GenerationConfig

Way = Literal["shared", "padded", "single"]
WAYS: tuple[Way, ...] = ("shared", "padded", "single")
"""From the fastest to the simplest.

`shared` encodes a context once for all its questions; `padded` lets the library take several
questions at a time, each with its whole prompt; `single` takes one question at a time, which
defines the right answer."""

Watch = Callable[[Sequence[int], Tensor], object]
"""Called at every step with the positions of the questions being answered, and their logits
(questions, vocabulary)."""


@dataclass(frozen=True)
class Answer:
    """A generated answer."""

    tokens: tuple[int, ...]
    """Token ids, without the end token."""
    log_probabilities: tuple[float, ...]
    """Log-probability of each token, and of the end token if it was reached, in nats."""

    @property
    def is_cut(self) -> bool:
        """Whether the limit was reached before the end."""
        return len(self.log_probabilities) == len(self.tokens)

    @property
    def mean_log_probability(self) -> float:
        """Mean over its tokens, including the end token if it was reached, in nats."""
        return sum(self.log_probabilities) / len(self.log_probabilities)


def end_tokens(tokenizer: Any, model: Any) -> tuple[int, ...]:
    """Return the tokens that end an answer: the tokenizer's, and all that the model names.

    A chat model ends its turn with a different token than a text, and its `generation_config.json`
    lists both.
    """
    named = model.generation_config.eos_token_id
    ends = named if isinstance(named, list) else [] if named is None else [named]
    return tuple(sorted({tokenizer.eos_token_id, *ends}))


def greedy(config: GenerationConfig) -> GenerationConfig:
    """Return a configuration for greedy answers that keeps only the model's special tokens.

    Sampling, beams, penalties, and suppressed or forced tokens are dropped.
    """
    return GenerationConfig(
        do_sample=False,
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
    )
