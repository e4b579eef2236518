"""Tokens of an answer guessed ahead, from what followed the same tokens in the prompt.

Answers are mostly copied from the context. A pass that tries several guessed tokens costs little
more than one that takes a single token, as long as few rows go through the model, and a guess
counts only if the model itself says the same token: answers stay what they are.

Source: Saxena, "Prompt lookup decoding" (2023), and transformers' `prompt_lookup_num_tokens`,
which take one prompt at a time.
"""

from collections.abc import Collection, Sequence

LONGEST = 7
"""Most tokens that are guessed for a row at a time."""
TOKENS_A_PASS = 32
"""Most tokens, guessed ones included, of all rows of a pass that tries guesses: up to about that
many, a pass on a CPU takes as long as it takes to read the weights."""
SIZES = (3, 2, 1)
"""How many of the last tokens are looked up, the most first."""


class LookUp:
    """Where the prompt of one question says what."""

    def __init__(self, prompt: Sequence[int]) -> None:
        """Index all sequences of up to three tokens by their first place."""
        self._prompt = tuple(prompt)
        self._behind: dict[tuple[int, ...], int] = {}
        for size in SIZES:
            for start in range(len(self._prompt) - size):
                key = self._prompt[start : start + size]
                self._behind.setdefault(key, start + size)

    def guess(self, said: Sequence[int], count: int) -> tuple[int, ...]:
        """Return up to `count` tokens that may follow the prompt and what was `said` behind it."""
        last = (*self._prompt[-max(SIZES) :], *said)[-max(SIZES) :]
        for size in SIZES:
            place = self._behind.get(last[-size:])
            if place is not None:
                return self._prompt[place : place + count]
        return ()


def guesses_a_row(rows: int) -> int:
    """Return how many tokens to guess for each of `rows` rows; 0: it does not pay."""
    return min(LONGEST, TOKENS_A_PASS // rows - 1) if rows <= TOKENS_A_PASS else 0


def taken(said: Sequence[int], guessed: Sequence[int], ends: Collection[int]) -> list[int]:
    """Return which of a pass's tokens belong to the answer.

    Args:
        said: the likeliest token behind the token before the guesses, and behind each guess.
        guessed: the guesses.
        ends: the tokens that end an answer.
    """
    tokens = [said[0]]
    for guess, following in zip(guessed, said[1:], strict=False):
        if tokens[-1] != guess or tokens[-1] in ends:
            break
        tokens.append(following)
    return tokens
