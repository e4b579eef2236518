"""What an answer is, and in which ways one is given.

An answer is what `generate` gives to one question at a time: at each step the likeliest token, no
sampling, beams or penalties, until one of the model's ends or the limit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor
from transformers import GenerationConfig

Way = Literal["shared", "padded", "single"]
WAYS: tuple[Way, ...] = ("shared", "padded", "single")
"""From the fastest to the plainest.

`shared` encodes a context once for all its questions; `padded` lets the library take several
questions at a time, each with its whole prompt; `single` is one question at a time, which defines
what the right answer is.
"""

Watch = Callable[[Sequence[int], Tensor], object]
"""Is told at every step the places of the questions that are being answered, and their logits
(questions, vocabulary)."""


@dataclass(frozen=True)
class Answer:
    """A generated answer."""

    tokens: tuple[int, ...]
    """Token ids, without the end."""
    log_probabilities: tuple[float, ...]
    """Of each token and of the end, where that was reached, in nats."""

    @property
    def is_cut(self) -> bool:
        """Whether the limit came before the end."""
        return len(self.log_probabilities) == len(self.tokens)

    @property
    def mean_log_probability(self) -> float:
        """Mean over its tokens, the end included where it was reached, in nats."""
        return sum(self.log_probabilities) / len(self.log_probabilities)


def end_tokens(tokenizer: Any, model: Any) -> tuple[int, ...]:
    """Return the tokens that end an answer: the tokenizer's, and all that the model itself names.

    A chat model ends its turn with another token than a text's end, and its
    `generation_config.json` lists both.
    """
    named = model.generation_config.eos_token_id
    ends = named if isinstance(named, list) else [] if named is None else [named]
    return tuple(sorted({tokenizer.eos_token_id, *ends}))


def greedy(config: GenerationConfig) -> GenerationConfig:
    """Return a configuration that answers greedily: of the model's own, its special tokens alone.

    Sampling, beams, penalties, suppressed and forced tokens stay behind.
    """
    return GenerationConfig(
        do_sample=False,
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
    )
