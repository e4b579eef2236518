"""The last look before a training: what the model will learn, checked and shown.

Nothing here imports torch.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vestibular.core.errors import DataError
from vestibular.modeling.encoding import EncodedQuestion, Tokenizer, encode_for_answering

if TYPE_CHECKING:
    from vestibular.core.questions import Question
    from vestibular.core.settings import PromptSettings

PROMPTS_COMPARED = 1000
"""Questions whose prompt is encoded a second time, as in the exam; more would cost minutes."""
SHOWN_START, SHOWN_END = 200, 300
"""Characters of the example's prompt that are shown, at its two ends."""


def check_examples(
    tokenizer: Tokenizer,
    prompt: "PromptSettings",
    questions: Sequence["Question"],
    encoded: Sequence[EncodedQuestion],
    limit: int,
) -> None:
    """Make sure that every example teaches an answer with its end, asked as in the exam.

    Raises:
        DataError: an example has nothing to learn or does not end with the end-of-sequence
            token, or its prompt differs from the one that evaluation and `vestibular answer`
            would use.
    """
    for taught in encoded:
        if len(taught.answer) < 2 or taught.answer[-1] != tokenizer.eos_token_id:
            raise DataError(
                f"question {taught.id}: the tokens to be learned, {list(taught.answer)}, are "
                "not an answer and the end-of-sequence token; the tokenizer turns the answer "
                "into nothing, or prompt.answer_prefix eats it"
            )
    step = -(-len(encoded) // PROMPTS_COMPARED)
    pairs = [
        pair for pair in list(zip(questions, encoded, strict=True))[::step] if not pair[1].shortened
    ]
    asked = encode_for_answering(tokenizer, prompt, [question for question, _ in pairs], limit, 0)
    for (question, taught), windows in zip(pairs, asked, strict=True):
        if [taught.prompt] != [window.prompt for window in windows]:
            raise DataError(
                f"question {question.id}: its prompt has other tokens in training than in the "
                "exam; the tokenizer does not give the same tokens for the same text"
            )


def check_labels(
    batches: Sequence[Any], encoded: Sequence[EncodedQuestion], learns_prompt: bool
) -> None:
    """Make sure that the tensors of a step teach its questions' answers and nothing else.

    Args:
        batches: what `tensors.collate` made of the questions.
        encoded: the questions of the step.
        learns_prompt: whether the prompt is learned, too.

    Raises:
        DataError: a label is not the token that follows its place, or the labels are not the
            tokens to be learned; padding is never among those.
    """
    wanted = sorted(
        token
        for question in encoded
        for token in ((question.prompt + question.answer)[1:] if learns_prompt else question.answer)
    )
    found: list[int] = []
    for batch in batches:
        labels = batch["labels"].tolist()
        following = batch["input_ids"][batch["label_rows"], batch["label_columns"] + 1].tolist()
        if labels != following:
            raise DataError("a label is not the token that follows its place in the row")
        found += labels
    if sorted(found) != wanted:
        raise DataError(
            f"the {len(found)} labels of the first step are not the {len(wanted)} tokens that "
            "its questions should teach"
        )


def example(tokenizer: Any, question: EncodedQuestion, learns_prompt: bool) -> str:
    """Decode one example; what is learned stands between `>>>` and `<<<`."""
    prompt, answer = tokenizer.decode(question.prompt), tokenizer.decode(question.answer)
    if len(prompt) > SHOWN_START + SHOWN_END:
        left_out = len(prompt) - SHOWN_START - SHOWN_END
        prompt = f"{prompt[:SHOWN_START]} [... {left_out:,} characters ...] {prompt[-SHOWN_END:]}"
    text = f">>>{prompt}{answer}<<<" if learns_prompt else f"{prompt}>>>{answer}<<<"
    learned = question.length - 1 if learns_prompt else len(question.answer)
    return (
        f"first example: {question.length} tokens, of which {learned} are learned (between >>> "
        f"and <<<):\n{text}"
    )
