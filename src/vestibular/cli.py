"""The command line: `vestibular <command>`. Light; what needs torch imports it when it runs."""

import argparse
import os
import sys
from pathlib import Path

from vestibular import __version__, registry_commands
from vestibular.errors import DataError, exit_on_error
from vestibular.files import read_json
from vestibular.layout import LEADERBOARD, PRODUCTION
from vestibular.logs import quiet
from vestibular.mirror import commands as mirror_commands
from vestibular.selection import as_text


@exit_on_error
def main() -> None:
    """Run the command that the arguments name."""
    arguments = parser().parse_args()
    arguments.run(arguments)


def parser() -> argparse.ArgumentParser:
    """Build the parser, with a help text that teaches."""
    top = argparse.ArgumentParser(
        prog="vestibular",
        description="An entrance exam for language models. The pipeline itself is run with "
        "`dvc repro`; these commands look at its results and use them.",
    )
    top.add_argument("--version", action="version", version=f"vestibular {__version__}")
    commands = top.add_subparsers(required=True, metavar="command")

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

    board = commands.add_parser(
        "leaderboard",
        help="show the candidates and their scores",
        description="Print the last run's candidates by rank, with their scores before and after "
        "fine-tuning, and where the chosen model lies.",
    )
    board.set_defaults(run=run_leaderboard)

    registry_commands.add_commands(commands)
    mirror_commands.add_command(commands)
    # a program of its own, which reads its own options: none begins with the sign named here
    server = commands.add_parser(
        "neptune-server",
        help="serve runs and models to the neptune client and to a browser",
        add_help=False,
        prefix_chars="\0",
    )
    server.add_argument("options", nargs="*")
    server.set_defaults(run=run_neptune_server)
    return top


def run_answer(arguments: argparse.Namespace) -> None:
    """Print the production model's answer."""
    context = read_text(arguments.context)
    if not context.strip():
        name = "standard input" if arguments.context == "-" else arguments.context
        raise DataError(f"{name}: is empty; an answer needs a text to be found in")
    if not arguments.question.strip():
        raise DataError("the question is empty")
    quiet()
    # torch and its friends take seconds
    from vestibular.answering import Answerer

    print(Answerer(arguments.model).answer(context, arguments.question))


def run_leaderboard(_: argparse.Namespace) -> None:
    """Print the leaderboard and what to do with it."""
    if not LEADERBOARD.exists():
        raise DataError(f"{LEADERBOARD}: not found; run `dvc repro` first")
    board = read_json(LEADERBOARD)
    print(as_text(board))
    print(f"\nThe chosen model is {board['winner']}, in {PRODUCTION}/. Next:")
    print('  vestibular answer --context FILE "question"    ask it')
    print("  dvc plots show                                 see the curves and scores")
    print("  dvc exp run -S train.learning_rate=2e-2        try a variant")
    print("  dvc exp show                                   compare the variants")


def run_neptune_server(arguments: argparse.Namespace) -> None:
    """Become the server's program."""
    command = [sys.executable, "-m", "neptune_server", *arguments.options]
    os.execv(sys.executable, command)  # noqa: S606 - no shell is needed


def read_text(name: str) -> str:
    """Read a UTF-8 file, or standard input for `-`.

    Raises:
        DataError: there is no such file, or it is not text.
    """
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise DataError(f"{name}: {(error.strerror or 'cannot be read').lower()}") from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{name}: not UTF-8 text") from None
