"""`vestibular mirror`: the command, what it needs, and the table at its end."""

import argparse
import base64
import contextlib
import importlib.util
import json
import os
import signal
import sys
import threading
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from vestibular.core.errors import (
    INTERRUPTED_EXIT_CODE,
    NoGitError,
    NoRepositoryError,
    ParamsError,
)
from vestibular.core.version_control import check_repository
from vestibular.mirror.supervising import POLL_SECONDS, Deadlines, Result, Supervisor
from vestibular.params.project import load_params

FAILED_EXIT_CODE = 1
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_REASONS = 5


def add_command(commands: Any) -> None:
    """Add `mirror` to the parser."""
    mirror = commands.add_parser(
        "mirror",
        help="show the runs to Neptune or MLflow",
        description="Push every run's settings, curves, machine use, files and scores, and the "
        "model versions with their stages, to the services that `mirror` in params.yaml names. "
        "What a service has already is not pushed again; what was cut off goes on. Nothing "
        "depends on it: with no server the runs wait in .vestibular/spool/. The exit status is 0 "
        "if everything is there, 1 if something is not, 2 if nothing could be tried, since the "
        "settings or the environment lack something.",
        epilog="neptune: NEPTUNE_PROJECT and NEPTUNE_API_TOKEN in the environment. mlflow: "
        "MLFLOW_TRACKING_URI (default: sqlite:///mlflow.db), and the extra: pip install "
        "'vestibular[mlflow]'.",
    )
    mirror.add_argument(
        "--target",
        action="append",
        choices=("neptune", "mlflow"),
        help="push to this one, whatever params.yaml names; may be given twice",
    )
    mirror.add_argument("--follow", action="store_true", help="go on, as runs go on, until Ctrl-C")
    mirror.add_argument("--all", action="store_true", help="push everything again")
    mirror.add_argument(
        "--call-seconds",
        type=_seconds,
        default=60.0,
        metavar="N",
        help="longest wait for an answer (default: %(default)g); an upload may take a second more "
        "for each MB",
    )
    mirror.add_argument(
        "--seconds",
        type=_seconds,
        default=1800.0,
        metavar="N",
        help="longest time for a push in all, or with --follow for each round, beside those "
        "seconds of its uploads (default: %(default)g)",
    )
    mirror.set_defaults(run=run_mirror)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0 (got {text})")
    return seconds


def run_mirror(arguments: argparse.Namespace) -> None:
    """Push to all targets at once, and print what has come of it."""
    targets = list(dict.fromkeys(arguments.target or load_params().mirror))
    if not targets:
        print(
            "params.yaml: mirror: names no target, so that nothing was pushed and the runs stay in "
            "the spool alone; call this with --target neptune or --target mlflow, or name them for "
            "good: `mirror: [neptune, mlflow]`",
            file=sys.stderr,
        )
        return
    # the stages are in git: a repository that stays shut must not pass for one without any
    with contextlib.suppress(NoRepositoryError, NoGitError):
        check_repository()
    check = {"neptune": check_neptune, "mlflow": check_mlflow}
    for target in targets:
        check[target]()
    options = [
        option for option in ("--all", "--follow") if getattr(arguments, option.removeprefix("--"))
    ]
    deadlines = Deadlines(arguments.call_seconds, arguments.seconds)
    supervisors = [
        Supervisor(target, options, environment(target, arguments.call_seconds), deadlines, _say)
        for target in targets
    ]
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in supervisors]
    # the way to end --follow; a push that is ended early still says how far it came
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(POLL_SECONDS)
    results = [each.result for each in supervisors]
    print(as_text(results))
    if stop.is_set() and not arguments.follow:
        raise SystemExit(INTERRUPTED_EXIT_CODE)
    if any(result.failed for result in results):
        raise SystemExit(FAILED_EXIT_CODE)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def check_neptune() -> None:
    """Make sure that the environment says where to and who, and that the way is safe.

    Raises:
        ParamsError: it does not, or it is not.
    """
    missing = [
        name for name in ("NEPTUNE_PROJECT", "NEPTUNE_API_TOKEN") if not os.environ.get(name)
    ]
    if missing:
        raise ParamsError(
            f"neptune: {' and '.join(missing)} not set in the environment; "
            "`vestibular neptune-server` prints both, for a server of one's own"
        )
    address = urlsplit(neptune_address(os.environ["NEPTUNE_API_TOKEN"]))
    if address.scheme != "https" and address.hostname not in LOOPBACK:
        raise ParamsError(
            f"neptune: NEPTUNE_API_TOKEN names {address.scheme}://{address.hostname}, where the "
            "token would travel unencrypted; only a server on this machine may do without https"
        )


def neptune_address(token: str) -> str:
    """Return the address of the server that a token is for.

    Raises:
        ParamsError: it is no token of Neptune's.
    """
    try:
        content = json.loads(base64.b64decode(token, validate=True))
        return str(content.get("api_url") or content["api_address"])
    except (ValueError, KeyError, AttributeError, TypeError):
        # the token itself is a secret, even a broken one
        raise ParamsError(
            "neptune: NEPTUNE_API_TOKEN is no token of Neptune's (base64 of a JSON object with "
            "api_address); copy it again, whole"
        ) from None


def check_mlflow() -> None:
    """Make sure that MLflow is installed.

    Raises:
        ParamsError: it is not.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise ParamsError("mlflow: not installed; pip install 'vestibular[mlflow]'")


def environment(target: str, call_seconds: float) -> dict[str, str]:
    """Return a worker's environment: this one, with the client's own limits below ours."""
    seconds = str(max(1, round(call_seconds)))
    own = dict(os.environ)
    if target == "mlflow":
        own |= {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": seconds,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        }
    else:
        own |= {
            "NEPTUNE_REQUEST_TIMEOUT": seconds,
            "NEPTUNE_RETRIES_TIMEOUT": str(max(1, round(call_seconds / 4))),
            "NEPTUNE_SYNC_AFTER_STOP_TIMEOUT": seconds,
        }
        address = urlsplit(neptune_address(own["NEPTUNE_API_TOKEN"]))
        if address.scheme == "http" and address.hostname in LOOPBACK:
            own["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    return own


def as_text(results: list[Result]) -> str:
    """Lay out a row for each run at each target, and below it why something is missing."""
    table = [["target", "run", "pushed", "there already", "failed"]]
    reasons: list[str] = []
    for result in results:
        why: dict[str, list[str]] = {}
        more = 0
        for run, candidate in result.candidates.items():
            name = f"{candidate} {run[:8]}"
            outcomes = {
                item: outcome for (key, item), outcome in result.outcomes.items() if key == run
            }
            count = Counter(outcome for outcome, _ in outcomes.values())
            numbers = [str(count[kind]) for kind in ("pushed", "there", "failed")]
            if run in result.untried:
                numbers[2] += " (cut off)" if outcomes else " (not tried)"
            table.append([result.target, name, *numbers])
            failed = [
                (f"{name}  {item}", reason)
                for item, (outcome, reason) in outcomes.items()
                if outcome == "failed"
            ]
            for place, reason in failed[:MOST_REASONS]:
                why.setdefault(reason, []).append(place)
            more += len(failed[MOST_REASONS:])
        # what several fail for is said once
        for reason, (place, *others) in why.items():
            also = f" and {len(others)} more" if others else ""
            reasons.append(f"{result.target}  {place}{also}: {reason}")
        if more:
            reasons.append(f"... and {more} more")
        if result.fault:
            reasons.append(f"{result.target}: {result.fault}{_server(result.target)}")
        if not result.candidates and not result.fault:
            reasons.append(f"{result.target}: no runs yet; `dvc repro` makes them")
    if len(table) == 1:
        return "\n".join(reasons)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    return "\n".join([*lines, *reasons])


def _server(target: str) -> str:
    """Say which server was asked, and how one's own is started."""
    if target != "neptune":
        return ""
    address = urlsplit(neptune_address(os.environ["NEPTUNE_API_TOKEN"]))
    # without a name and a password, which an address may hold
    place = f"{address.scheme}://{address.netloc.rpartition('@')[2]}"
    own = "; `vestibular neptune-server` starts it" if address.hostname in LOOPBACK else ""
    return f" (asked: {place}, which NEPTUNE_API_TOKEN names{own})"
