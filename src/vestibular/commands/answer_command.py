"""`vestibular answer`: answers one question, or a table of them, with the model in production."""

import argparse
import sys
from pathlib import Path
from typing import Any

from vestibular.commands.chosen_model import add_options, chosen_folder
from vestibular.commands.manifest import base_folder, read_description
from vestibular.core.characters import is_visible
from vestibular.core.environment import arithmetic_in_force, settle
from vestibular.core.errors import DataError, LaunchError
from vestibular.core.files import file_sha256
from vestibular.core.logs import silence_libraries
from vestibular.core.paths import MODEL_FILE, PARAMS
from vestibular.params.project import load_params


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    answer = commands.add_parser(
        "answer",
        help="answer a question with the model in production",
        description="Print the answer to a question about a text, and nothing else; or answer a "
        "table of questions. Standard error says which model answers.",
        epilog='example: vestibular answer --context edital.txt "Quem coordena o curso?"',
    )
    answer.add_argument("question", nargs="?", help="question about the text")
    answer.add_argument(
        "--context", metavar="FILE", help="file with the text, UTF-8; - for standard input"
    )
    answer.add_argument(
        "--questions",
        type=Path,
        metavar="FILE",
        help="instead of both: a table (.jsonl, .csv, .tsv, .parquet) with the columns context and "
        "question, or those of data.columns; an id is kept",
    )
    answer.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="for --questions: file for the answers, JSON Lines; an existing file is continued",
    )
    add_options(answer)
    answer.set_defaults(run=run_answer)


def run_answer(arguments: argparse.Namespace) -> None:
    """Print the production model's answer, or write its answers to a table."""
    if arguments.questions is not None or arguments.output is not None:
        _answer_table(arguments)
        return
    if arguments.question is None or arguments.context is None:
        raise LaunchError(
            'write --context FILE and "the question", or --questions FILE --output FILE; '
            "`vestibular answer --help` says more"
        )
    context = read_text(arguments.context)
    if not is_visible(context):
        name = "standard input" if arguments.context == "-" else arguments.context
        raise DataError(f"{name}: is empty; an answer needs a text")
    question = arguments.question.removeprefix("\ufeff")
    if not is_visible(question):
        raise DataError("the question is empty")
    folder = chosen_folder(arguments)
    _settle(folder)
    _say_which(folder)
    # imported here: torch takes seconds
    from vestibular.commands.inference import Answerer

    print(Answerer.load(folder).answer(context, question))


def _answer_table(arguments: argparse.Namespace) -> None:
    if arguments.questions is None or arguments.output is None:
        raise LaunchError("--questions FILE and --output FILE go together")
    if arguments.question is not None or arguments.context is not None:
        raise LaunchError(
            "--questions FILE contains the questions and contexts; leave out the others"
        )
    from vestibular.commands.answer_file import write_answers
    from vestibular.data.tables import read_asked

    # a model can be asked outside a project
    columns = load_params().data.columns if PARAMS.exists() else None
    asked = read_asked(arguments.questions, columns)
    folder = chosen_folder(arguments)
    _settle(folder)
    model = _say_which(folder)
    # imported here: torch takes seconds
    from vestibular.commands.inference import Answerer

    write_answers(
        arguments.output,
        asked,
        model,
        # loaded only when the first answer is needed: there may be none left
        lambda rest: Answerer.load(folder).answer_all(rest) if rest else iter(()),
    )
    print(f"{arguments.output}: {len(asked):,} answers", file=sys.stderr)


def _settle(folder: Path) -> None:
    """Set the environment variables that must be set before torch is imported."""
    description = read_description(folder)
    base = base_folder(folder, description)
    settle(arithmetic_in_force(description.loading.arithmetic, base))
    silence_libraries()


def _say_which(folder: Path) -> str:
    """Print on standard error which model answers; return a hash of it.

    Raises:
        BaseModelError: the folder contains no model.
    """
    description = read_description(folder)
    print(
        f"{folder}: {description.candidate}, {description.base.base_model} "
        f"(F1 {description.after.f1:.3f} in the exam)",
        file=sys.stderr,
    )
    return file_sha256(folder / MODEL_FILE)[:16]


def read_text(name: str) -> str:
    """Read a UTF-8 file, or standard input for `-`, without a byte order mark.

    Raises:
        DataError: the file does not exist, or is not text.
    """
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise DataError(f"{name}: {(error.strerror or 'cannot be read').lower()}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{name}: not UTF-8 text") from None
