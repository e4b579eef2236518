"""Encoding of questions: tokens of the prompt and, separately, of the answer.

The same `encode_prompt` serves training, evaluation and answering, so that a model is asked exactly
as it was trained. Nothing here imports torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import regex

from vestibular.core.characters import WITHOUT_SPACES
from vestibular.core.errors import DataError
from vestibular.modeling.spelled_tokens import Spellings

if TYPE_CHECKING:
    from vestibular.core.questions import Question
    from vestibular.core.settings import PromptSettings


WINDOW_STEP = 32
"""Window widths are multiples of this many tokens, so that questions of a context share windows."""
UNIT = regex.compile(rf"\s*(?:[{WITHOUT_SPACES}]\p{{M}}*|(?:(?![{WITHOUT_SPACES}])\S){{1,20}})")
"""Unit of a window: a word, or a character in a script without spaces between words."""


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that is used here."""

    eos_token_id: int

    def __call__(self, text: str, **options: Any) -> Any:
        """Tokenize a text."""

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any:
        """Render messages in the format that the model was trained on."""


@dataclass(frozen=True)
class EncodedQuestion:
    """A question as tokens."""

    id: str
    prompt: tuple[int, ...]
    """Token ids of the prompt, including the tokenizer's opening tokens."""
    answer: tuple[int, ...]
    """Token ids of the answer to learn, with the end-of-sequence token last; may be empty."""
    context: str
    """The context as the model sees it; questions with the same context can be encoded together."""
    shortened: bool
    """Whether it is only a part of the context."""

    @property
    def length(self) -> int:
        """Total number of tokens."""
        return len(self.prompt) + len(self.answer)


def render(prompt: "PromptSettings", context: str, question: str) -> str:
    """Fill in the template; braces in the texts have no special meaning."""
    before, after = prompt.template.split("{context}")
    if "{question}" in after:
        return before + context + after.replace("{question}", question)
    return before.replace("{question}", question) + context + after


def encode_answer(tokenizer: Tokenizer, prompt: "PromptSettings", answer: str) -> tuple[int, ...]:
    """Return the tokens that should follow the prompt: the answer, then the end token."""
    spelled = Spellings(tokenizer, [answer], prompt.answer_prefix)
    ids = spelled.encode(prompt.answer_prefix + spelled.texts[0], add_special_tokens=False)
    return (*ids, tokenizer.eos_token_id)


def encode_prompt(
    tokenizer: Tokenizer, prompt: "PromptSettings", context: str, question: str
) -> tuple[int, ...]:
    """Return the prompt's tokens, including the tokenizer's opening tokens.

    Raises:
        DataError: the prompt should be a chat message, but the tokenizer has no chat template.
    """
    spelled = Spellings(tokenizer, [context, question], prompt.template)
    text = render(prompt, *spelled.texts)
    if not prompt.chat:
        ids = spelled.encode(text, add_special_tokens=True)
        # some tokenizers end every text, but here the answer is still to come
        return tuple(ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids)
    if not getattr(tokenizer, "chat_template", None):
        raise DataError(
            "prompt.chat: the model's tokenizer has no chat template; write `chat: false`"
        )
    text = apply_chat_template(tokenizer, prompt, text)
    return tuple(spelled.encode(text, add_special_tokens=False))


def apply_chat_template(
    tokenizer: Tokenizer, prompt: "PromptSettings", text: str, **options: Any
) -> str:
    """Render a user message in the format that the model was trained on, ready for the answer.

    Args:
        tokenizer: has a chat template.
        prompt: holds further arguments of the template.
        text: the message.
        options: arguments that extend or override those.
    """
    written: str = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}],
        add_generation_prompt=True,
        tokenize=False,
        **(prompt.chat_template_kwargs | options),
    )
    return written


def encode_for_training(
    tokenizer: Tokenizer, prompt: "PromptSettings", question: "Question", limit: int
) -> EncodedQuestion:
    """Encode a question with its first answer, at most `limit` tokens in total.

    A context that is too long is cut around the answer, or at the end if the answer's position is
    unknown. The question is never cut.

    Raises:
        DataError: question and answer alone are too long.
    """
    answer = encode_answer(tokenizer, prompt, question.answers[0])
    room = limit - len(answer)

    def tokens(piece: str) -> tuple[int, ...]:
        return encode_prompt(tokenizer, prompt, piece, question.question)

    whole = tokens(question.context)
    if len(whole) <= room:
        return EncodedQuestion(question.id, whole, answer, question.context, False)
    _check_room(len(tokens("")), room, question.question)
    start = question.answer_starts[0]
    piece = _widest_piece(
        question.context,
        start + len(question.answers[0]) // 2 if start >= 0 else 0,
        lambda piece: len(tokens(piece)) <= room,
    )
    return EncodedQuestion(question.id, tokens(piece), answer, piece, True)


def encode_for_answering(
    tokenizer: Tokenizer,
    prompt: "PromptSettings",
    questions: Sequence["Question"],
    limit: int,
    overlap: float,
) -> list[list[EncodedQuestion]]:
    """Encode questions without their answers, each prompt at most `limit` tokens.

    The answer's position is not used. A context that is too long is cut into windows, each of which
    repeats the fraction `overlap` of the previous one.

    Returns:
        for each question its windows, usually one: the whole context.

    Raises:
        DataError: a question is too long even without a context.
    """
    pieces: dict[tuple[str, int], list[str]] = {}
    result = []
    for question in questions:
        context, asked = question.context, question.question
        whole = encode_prompt(tokenizer, prompt, context, asked)
        if len(whole) <= limit:
            result.append([EncodedQuestion(question.id, whole, (), context, False)])
            continue
        bare = len(encode_prompt(tokenizer, prompt, "", asked))
        _check_room(bare + 1, limit, asked)
        # between the prompt's texts a piece may take a token or two more than alone
        room = max(1, limit - bare - 2)
        room = room // WINDOW_STEP * WINDOW_STEP or room
        if (context, room) not in pieces:
            pieces[context, room] = windows(tokenizer, context, room, overlap)
        encoded = []
        for piece in pieces[context, room]:
            ids = encode_prompt(tokenizer, prompt, piece, asked)
            while len(ids) > limit:
                piece = piece[:-1]
                ids = encode_prompt(tokenizer, prompt, piece, asked)
            encoded.append(EncodedQuestion(question.id, ids, (), piece, True))
        result.append(encoded)
    return result


def windows(tokenizer: Tokenizer, context: str, room: int, overlap: float) -> list[str]:
    """Cut a context into overlapping pieces of at most `room` tokens each.

    Words stay whole, except those that are too long for a piece.
    """
    units = [
        unit
        for match in UNIT.finditer(context)
        for unit in _fitting(tokenizer, context, match.span(), room)
    ]
    pieces = []
    first = 0
    while True:
        low, high = first, min(len(units), first + 2 * room) - 1
        while low < high:
            last = (low + high + 1) // 2
            piece = context[units[first][0] : units[last][1]]
            spelled = Spellings(tokenizer, [piece])
            if len(spelled.encode(spelled.texts[0], add_special_tokens=False)) <= room:
                low = last
            else:
                high = last - 1
        pieces.append(context[units[first][0] : units[low][1]].strip())
        if low == len(units) - 1:
            return pieces
        first = max(first + 1, low + 1 - round(overlap * (low + 1 - first)))


def _fitting(
    tokenizer: Tokenizer, context: str, word: tuple[int, int], room: int
) -> list[tuple[int, int]]:
    """Return a word's place, or the places of its characters if it takes more tokens than `room`.

    Otherwise the end of such a word, a link for example, would be in no window.
    """
    start, end = word
    text = context[start:end]
    # no token is less than a byte
    if len(text.encode()) > room:
        spelled = Spellings(tokenizer, [text])
        if len(spelled.encode(spelled.texts[0], add_special_tokens=False)) > room:
            return [(place, place + 1) for place in range(start, end)]
    return [word]


def _check_room(needed: int, room: int, question: str) -> None:
    if needed > room:
        raise DataError(
            f"the prompt has {needed} tokens even without a context, but only {max(0, room)} fit "
            "(train.max_length or the model's own limit, minus the answer); raise "
            "train.max_length, lower evaluate.max_new_tokens, shorten prompt.template, or remove "
            f"the question: {question}"
        )


def _widest_piece(context: str, middle: int, fits: Callable[[str], bool]) -> str:
    """Return the widest piece of the context around a character that fits."""

    def piece(width: int) -> str:
        left = min(max(0, middle - width // 2), max(0, len(context) - width))
        return context[left : left + width]

    # token counts grow with the width except for a token or so, which the walk after the bisection
    # handles
    low, high = 0, len(context)
    while low < high:
        width = (low + high + 1) // 2
        if fits(piece(width)):
            low = width
        else:
            high = width - 1
    while not fits(piece(low)):
        low -= 1
    return piece(low)


def shared_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Return the length of the prompts' common prefix, excluding each prompt's last token.

    The last token of each prompt is excluded because its output is needed.
    """
    shortest = min(len(prompt) for prompt in prompts) - 1
    first = prompts[0]
    for place in range(shortest):
        if any(prompt[place] != first[place] for prompt in prompts):
            return place
    return shortest
