"""Questions for training and answering. Nothing here imports torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.settings import Settings
from bench.shapes import PUBLISHED_LENGTH
from vestibular.core.questions import Question
from vestibular.modeling.batching import epoch_batches
from vestibular.modeling.encoding import EncodedQuestion, encode_for_training

SEED = 42


@dataclass(frozen=True)
class Prompt:
    """The prompt of the settings, without the settings."""

    template: str
    answer_prefix: str = " "
    chat: bool = False


PROMPT = Prompt(
    "Dado o contexto abaixo, responda a questão\n\n### Contexto:\n{context}\n\n"
    "### Questão:\n{question}\n\n### Resposta:"
)


def read_questions(path: Path, tokenizer: Any) -> list[EncodedQuestion]:
    """Encode all questions of a SQuAD file with their first answers."""
    documents = json.loads(path.read_text(encoding="utf-8"))["data"]
    questions = []
    for paragraph in (paragraph for document in documents for paragraph in document["paragraphs"]):
        for row in paragraph["qas"]:
            answer = row["answers"][0]
            question = Question(
                row["id"],
                "",
                paragraph["context"],
                row["question"],
                (answer["text"],),
                (answer["answer_start"],),
            )
            questions.append(encode_for_training(tokenizer, PROMPT, question, PUBLISHED_LENGTH))
    return questions


def training_steps(settings: Settings, tokenizer: Any) -> list[list[EncodedQuestion]]:
    """Return the optimizer steps of one repeat, in the pipeline's order."""
    questions = read_questions(settings.data / "train.json", tokenizer)
    steps = epoch_batches(questions, settings.batch, SEED, epoch=0)
    return steps[: -(-settings.train_questions // settings.batch)]


def exam(settings: Settings, tokenizer: Any) -> list[EncodedQuestion]:
    """Return the questions that one repeat answers."""
    room = PUBLISHED_LENGTH - settings.new_tokens
    questions = read_questions(settings.data / settings.exam_file, tokenizer)
    return [one for one in questions if len(one.prompt) <= room][: settings.exam_questions]
