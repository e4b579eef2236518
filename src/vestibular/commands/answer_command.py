"""`vestibular answer`: one question to the model in production."""

import argparse
import sys
from pathlib import Path
from typing import Any

from vestibular.core.characters import is_visible
from vestibular.core.environment import arithmetic_in_force, settle
from vestibular.core.errors import DataError
from vestibular.core.layout import PRODUCTION
from vestibular.core.logs import quiet


def add_command(commands: Any) -> None:
    """Add the command to the parser's."""
    answer = commands.add_parser(
        "answer",
        help="answer a question with the model in production",
        description="Print the answer to a question about a text, and nothing else.",
        epilog='example: vestibular answer --context edital.txt "Quem coordena o curso?"',
    )
    answer.add_argument("question", help="the question")
    answer.add_argument(
        "--context", required=True, metavar="FILE", help="the text, UTF-8; - for standard input"
    )
    answer.add_argument(
        "--model",
        type=Path,
        default=PRODUCTION,
        metavar="DIR",
        help="folder with a model that `select` wrote (default: %(default)s)",
    )
    answer.set_defaults(run=run_answer)


def run_answer(arguments: argparse.Namespace) -> None:
    """Print the production model's answer."""
    context = read_text(arguments.context)
    if not is_visible(context):
        name = "standard input" if arguments.context == "-" else arguments.context
        raise DataError(f"{name}: is empty; an answer needs a text to be found in")
    question = arguments.question.removeprefix("\ufeff")
    if not is_visible(question):
        raise DataError("the question is empty")
    from vestibular.commands.description import base_folder, read_description

    description = read_description(arguments.model)
    base = base_folder(arguments.model, description)
    settle(arithmetic_in_force(description.loading.arithmetic, base))
    quiet()
    # torch and its friends take seconds
    from vestibular.commands.answering import Answerer

    print(Answerer(arguments.model, base, description).answer(context, question))


def read_text(name: str) -> str:
    """Read a UTF-8 file, or standard input for `-`; a byte order mark is no text.

    Raises:
        DataError: there is no such file, or it is not text.
    """
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise DataError(f"{name}: {(error.strerror or 'cannot be read').lower()}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{name}: not UTF-8 text") from None
