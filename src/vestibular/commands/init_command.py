"""`vestibular init`: settings for your own dataset."""

import argparse
import hashlib
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from vestibular.core.candidates import CANDIDATE_NAME, merge_candidates
from vestibular.core.errors import LaunchError
from vestibular.core.files import atomic_file
from vestibular.core.paths import PARAMS
from vestibular.core.unusable_bases import check_folder
from vestibular.core.work_folder import work_folder
from vestibular.core.yaml_files import parse_yaml
from vestibular.scoring.languages import NONE, advice, languages, usual_columns
from vestibular.scoring.normalization import Normalization

MARK = "# Written by `vestibular init`; unchanged as long as its hash is "
LANGUAGE = re.compile("[a-z]{2,3}")
BASES = Path("models/bases")
REPLACED = "params.yaml.replaced"
"""Name in the work folder of the settings that were replaced."""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "init",
        help="write a params.yaml for your own data and models",
        description="Look at the files of a dataset and write commented settings for it: the files "
        "and their columns, a prompt in the questions' language, and epochs, batch and "
        "warm-up for their number. Anything that no option states is asked in a "
        "terminal. An existing params.yaml is replaced only if it is unchanged since an "
        "earlier `init`, or with --force.",
        epilog="example: vestibular init --source data/mine --language de --candidate "
        "models/bases/mini --candidate large=openai-community/gpt2-large",
    )
    parser.add_argument("--source", type=Path, metavar="DIR", help="folder with the questions")
    parser.add_argument(
        "--format", choices=("squad", "jsonl", "csv", "parquet"), help="(default: by its name)"
    )
    parser.add_argument("--train", metavar="FILE", help="file with the training questions, in DIR")
    parser.add_argument(
        "--validation",
        metavar="FILE",
        help="file with the questions of the exam (default: a fifth is held out)",
    )
    for what in usual_columns():
        said = f"column of {what.replace('_', ' ')} (default: by its name)"
        parser.add_argument(column_option(what), metavar="NAME", help=said)
    parser.add_argument(
        "--unanswerable", metavar="TEXT", help="what to answer if the context has no answer"
    )
    parser.add_argument("--language", metavar="CODE", help="ISO 639 code (de), or none")
    parser.add_argument(
        "--candidate",
        action="append",
        metavar="[NAME=]BASE",
        help="a base model: a folder or a hub id; may be repeated",
    )
    parser.add_argument("--force", action="store_true", help=f"replace an existing {PARAMS}")
    parser.set_defaults(run=run_init)


def column_option(what: str) -> str:
    """Return the option that names the column for `what`."""
    return f"--{what.replace('_', '-')}-column"


def run_init(arguments: argparse.Namespace) -> None:
    """Write the settings, and print what was found and what to do next."""
    # imported here: reading tables and leaks takes a third of a second, which other commands do not
    # need
    from vestibular.commands.first_look import UnanswerableError, Wanted, look
    from vestibular.commands.first_settings import first_settings
    from vestibular.data.audit_table import summary

    _may_write(PARAMS, arguments.force)
    source = arguments.source or Path(_ask("--source", "Folder with the files of questions"))
    language = arguments.language or _ask("--language", "Language (de, pt, ... or none)", NONE)
    if not LANGUAGE.fullmatch(language) and language != NONE:
        raise LaunchError(f"--language {language}: must be an ISO 639 code, such as de, or none")
    code = None if language == NONE else language
    known = code if code in languages() else NONE
    wanted = Wanted(
        source=source,
        format=arguments.format,
        train=arguments.train,
        validation=arguments.validation,
        unanswerable=arguments.unanswerable,
        columns={
            what: name
            for what in usual_columns()
            if (name := getattr(arguments, f"{what}_column")) is not None
        },
    )
    rules = Normalization("squad", known or NONE)
    try:
        found = look(wanted, rules)
    except UnanswerableError:
        if not sys.stdin.isatty():
            raise
        answer = _ask("--unanswerable", "What to answer if the context has no answer")
        found = look(replace(wanted, unanswerable=answer), rules)
    asked = arguments.candidate or _ask("--candidate", "Base models, separated by spaces").split()
    candidates = _named(asked)
    bases = _bases(candidates)
    text = first_settings(found, code, bases, candidates)
    _check(text)
    # DVC needs it even if all bases come from the hub
    bases.mkdir(parents=True, exist_ok=True)
    with atomic_file(PARAMS) as temporary:
        temporary.write_text(_marked(text), encoding="utf-8")
    metrics = found.dataset.metrics()
    for name, split in metrics.splits().items():
        print(
            f"{name}: {split.questions:,} questions, {split.contexts:,} contexts, "
            f"{split.documents:,} documents; {split.rows.left_out if split.rows else 0:,} left out"
        )
    if found.unread:
        columns = found.settings.columns
        missing = [what for what in usual_columns() if columns and getattr(columns, what) is None]
        print(
            f"unused columns: {', '.join(found.unread)}. To use one of them: "
            f"{', '.join(f'{column_option(what)} NAME' for what in missing)}"
        )
    if rows := list(found.dataset.audit_rows()):
        print(f"{summary(rows)}\nAfter `dvc repro`, `vestibular data` shows every row.")
    if said := advice(code, "squad", known or NONE):
        print(f"{PARAMS}: {said}")
    hub = [base for base in candidates.values() if not Path(base).is_dir()]
    steps = ["vestibular pin", "vestibular fetch"] if hub else []
    steps = [*steps, "vestibular plan", "dvc repro"]
    print(f"{PARAMS}: written. Read it, then run: {', '.join(f'`{step}`' for step in steps)}")


def _ask(option: str, question: str, default: str = "") -> str:
    """Ask in a terminal for what an option would state.

    Raises:
        LaunchError: there is no terminal, or no answer.
    """
    answer = ""
    if sys.stdin.isatty():
        shown = f"{question} [{default}]: " if default else f"{question}: "
        try:
            answer = input(shown).strip() or default
        except EOFError:
            answer = ""
    elif default:
        return default
    if not answer:
        raise LaunchError(f"{option} is needed; `vestibular init --help` says more")
    return answer


def _may_write(path: Path, force: bool) -> None:
    """Check that nobody's own settings are lost.

    Settings of an earlier `init`, if unchanged, can be created again. Others are replaced only on
    request, and a copy is kept: the demo's are in git, but a user's edits may be nowhere else.

    Raises:
        LaunchError: such settings exist, and replacing them was not requested.
    """
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    first, _, rest = text.partition("\n")
    if first == MARK + _hash(rest):
        return
    if not force:
        question = f"{path} was not written by init, or was edited since. Replace it? (yes, no)"
        if not sys.stdin.isatty() or _ask("--force", question, "no") not in ("yes", "y"):
            raise LaunchError(
                f"{path}: was not written by init, or was edited since; --force replaces it, and "
                f"keeps a copy as .vestibular/{REPLACED}"
            )
    aside = work_folder() / REPLACED
    aside.parent.mkdir(parents=True, exist_ok=True)
    aside.write_text(text, encoding="utf-8", errors="surrogateescape")


def _marked(text: str) -> str:
    return f"{MARK}{_hash(text)}\n{text}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _named(candidates: list[str]) -> dict[str, str]:
    """Return base models by candidate name.

    Raises:
        LaunchError: a name is invalid or used twice.
    """
    found: dict[str, str] = {}
    for one in candidates:
        name, equals, base = one.partition("=")
        if not equals:
            base = one.rstrip("/")
            name = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(base).name).strip("-")
        if not CANDIDATE_NAME.fullmatch(name):
            what = "a name may contain letters, digits, '_' and '-'"
            raise LaunchError(f"--candidate {one}: {what}; write NAME=BASE")
        if name in found:
            raise LaunchError(f"--candidate {one}: the name {name} is used twice; write NAME=BASE")
        found[name] = base
    return found


def _bases(candidates: dict[str, str]) -> Path:
    """Return the folder that contains all local bases.

    Raises:
        BaseModelError: a folder is not a base model.
        LaunchError: a folder does not exist; they are in several folders, or outside the project.
    """
    local = {name: Path(base) for name, base in candidates.items() if Path(base).is_dir()}
    for name, folder in local.items():
        check_folder(folder, f"--candidate {name}={folder}")
    for name, base in candidates.items():
        # hub ids are NAME or ORGANIZATION/NAME
        parts = Path(base).parts
        if name not in local and (len(parts) > 2 or Path(parts[0]).is_dir()):
            raise LaunchError(
                f"--candidate {name}={base}: there is no such folder, and it is not a valid hub "
                "id; correct it, or put the base model there"
            )
    parents = {folder.parent for folder in local.values()}
    if len(parents) > 1:
        raise LaunchError(
            f"the base models are in several folders ({', '.join(map(str, sorted(parents)))}), "
            f"but DVC watches only one: put them into one, such as {BASES}"
        )
    for parent in parents:
        if parent.is_absolute() or ".." in parent.parts or parent == Path():
            raise LaunchError(
                f"--candidate: {parent}: DVC watches a folder of the project; put the base models "
                f"into {BASES}"
            )
        return parent
    return BASES


def _check(text: str) -> None:
    """Check that the settings can be read: a fault here comes from an option.

    Raises:
        ParamsError: they cannot.
    """
    from vestibular.core.settings import validate
    from vestibular.params.project import Params

    content = parse_yaml(text, PARAMS)
    faults, merged = merge_candidates(content)
    validate(Params, {**content, "candidates": merged}, PARAMS, faults=faults)
