"""The last check before a training: what the model will learn, verified and shown.

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
"""Number of questions whose prompt is encoded again as in the exam; more would take minutes."""
SHOWN_START, SHOWN_END = 200, 300
"""Number of characters shown of the example's prompt, at its start and end."""


def check_examples(
    tokenizer: Tokenizer,
    prompt: "PromptSettings",
    questions: Sequence["Question"],
    encoded: Sequence[EncodedQuestion],
    limit: int,
) -> None:
    """Check that every example teaches an answer with its end, and uses the exam's prompt.

    Raises:
        DataError: an example has nothing to learn or does not end with the end-of-sequence token,
            or its prompt differs from that of evaluation and `vestibular answer`.
    """
    for taught in encoded:
        if len(taught.answer) < 2 or taught.answer[-1] != tokenizer.eos_token_id:
            raise DataError(
                f"question {taught.id}: the tokens to be learned, {list(taught.answer)}, are not "
                "an answer followed by the end-of-sequence token; either the tokenizer drops the "
                "answer, or prompt.answer_prefix merges with it"
            )
    step = -(-len(encoded) // PROMPTS_COMPARED)
    pairs = [
        pair for pair in list(zip(questions, encoded, strict=True))[::step] if not pair[1].shortened
    ]
    asked = encode_for_answering(tokenizer, prompt, [question for question, _ in pairs], limit, 0)
    for (question, taught), windows in zip(pairs, asked, strict=True):
        if [taught.prompt] != [window.prompt for window in windows]:
            raise DataError(
                f"question {question.id}: its prompt has different tokens in training and in the "
                "exam; the tokenizer does not give the same tokens for the same text"
            )


def check_labels(
    batches: Sequence[Any], encoded: Sequence[EncodedQuestion], learns_prompt: bool
) -> None:
    """Check that the tensors of a step teach its questions' answers and nothing else.

    Args:
        batches: tensors of the questions, from `tensors.collate`.
        encoded: the questions of the step.
        learns_prompt: whether the prompt is learned too.

    Raises:
        DataError: a label is not the token that follows its position, or the labels are not the
            tokens to learn (which never include padding).
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
            raise DataError("a label is not the token that follows its position in the row")
        found += labels
    if sorted(found) != wanted:
        raise DataError(
            f"the {len(found)} labels of the first step are not the {len(wanted)} tokens that "
            "its questions should teach"
        )


def example(tokenizer: Any, question: EncodedQuestion, learns_prompt: bool) -> str:
    """Decode one example; the learned part is between `>>>` and `<<<`."""
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
