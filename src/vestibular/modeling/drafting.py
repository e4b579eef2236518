"""Speculative tokens of an answer, looked up in the prompt after the same preceding tokens.

Answers are mostly copied from the context. As long as few rows go through the model, a pass with
several guessed tokens costs little more than one with a single token. A guess counts only if the
model itself generates the same token, so answers do not change.

Source: Saxena, "Prompt lookup decoding" (2023), and `prompt_lookup_num_tokens` in transformers,
both for one prompt at a time.
"""

from collections.abc import Collection, Sequence

LONGEST = 7
"""Maximum number of tokens guessed per row and pass."""
TOKENS_A_PASS = 32
"""Maximum number of tokens, guesses included, of all rows in a pass with guesses: up to about this
many, the time of a pass on a CPU is that of reading the weights."""
SIZES = (3, 2, 1)
"""Numbers of last tokens that are looked up, in order."""


class LookUp:
    """Index of the token sequences in a question's prompt."""

    def __init__(self, prompt: Sequence[int]) -> None:
        """Index all sequences of up to three tokens by their first position."""
        self._prompt = tuple(prompt)
        self._behind: dict[tuple[int, ...], int] = {}
        for size in SIZES:
            for start in range(len(self._prompt) - size):
                key = self._prompt[start : start + size]
                self._behind.setdefault(key, start + size)

    def guess(self, said: Sequence[int], count: int) -> tuple[int, ...]:
        """Return up to `count` guesses for the tokens after the prompt and `said`."""
        last = (*self._prompt[-max(SIZES) :], *said)[-max(SIZES) :]
        for size in SIZES:
            place = self._behind.get(last[-size:])
            if place is not None:
                return self._prompt[place : place + count]
        return ()


def guesses_a_row(rows: int) -> int:
    """Return how many tokens to guess for each of `rows` rows; 0 if guessing does not pay."""
    return min(LONGEST, TOKENS_A_PASS // rows - 1) if rows <= TOKENS_A_PASS else 0


def taken(said: Sequence[int], guessed: Sequence[int], ends: Collection[int]) -> list[int]:
    """Return the tokens of a pass that belong to the answer.

    Args:
        said: the most likely token after the token before the guesses, and after each guess.
        guessed: the guesses.
        ends: the tokens that end an answer.
    """
    tokens = [said[0]]
    for guess, following in zip(guessed, said[1:], strict=False):
        if tokens[-1] != guess or tokens[-1] in ends:
            break
        tokens.append(following)
    return tokens
