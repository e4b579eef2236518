"""`vestibular mirror`: the command, its requirements, and the table at its end."""

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

from tabulate import tabulate

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
        help="push the runs to Neptune or MLflow",
        description="Push every run's settings, curves, system metrics, files and scores, and the "
        "model versions with their stages, to the services named by `mirror` in "
        "params.yaml. What a service already has is not pushed again; an interrupted "
        "push is continued. Nothing depends on it: without a server the runs stay in "
        ".vestibular/spool/. The exit status is 0 if everything is there, 1 if something "
        "is missing, 2 if nothing could be tried, since the settings or the environment "
        "are incomplete.",
        epilog="neptune: NEPTUNE_PROJECT and NEPTUNE_API_TOKEN in the environment. mlflow: "
        "MLFLOW_TRACKING_URI (default: sqlite:///mlflow.db), and the extra: pip install "
        "'vestibular[mlflow]'.",
    )
    mirror.add_argument(
        "--target",
        action="append",
        choices=("neptune", "mlflow"),
        help="push to this service, whatever params.yaml names; may be given twice",
    )
    mirror.add_argument(
        "--follow",
        action="store_true",
        help="keep pushing while runs are in progress, until Ctrl-C",
    )
    mirror.add_argument("--all", action="store_true", help="push everything again")
    mirror.add_argument(
        "--call-seconds",
        type=_seconds,
        default=60.0,
        metavar="N",
        help="timeout for a response in seconds (default: %(default)g); an upload may take one "
        "second more per MB",
    )
    mirror.add_argument(
        "--seconds",
        type=_seconds,
        default=1800.0,
        metavar="N",
        help="timeout for the whole push, or with --follow for each round, in seconds, without "
        "upload times (default: %(default)g)",
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
    """Push to all targets in parallel, and print the result."""
    targets = list(dict.fromkeys(arguments.target or load_params().mirror))
    if not targets:
        print(
            "params.yaml: mirror: names no target, so nothing was pushed; call this with "
            "--target neptune or --target mlflow, or name the targets permanently: `mirror: "
            "[neptune, mlflow]`",
            file=sys.stderr,
        )
        return
    # stages are in git: a repository that cannot be opened must not be treated as missing
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
    # these end --follow; a push that is ended early still reports its progress
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
    """Check that the environment names server and credentials, and that the connection is safe.

    Raises:
        ParamsError: it does not, or is not.
    """
    missing = [
        name for name in ("NEPTUNE_PROJECT", "NEPTUNE_API_TOKEN") if not os.environ.get(name)
    ]
    if missing:
        raise ParamsError(
            f"neptune: {' and '.join(missing)} not set in the environment; `vestibular "
            "neptune-server` prints both for your own server"
        )
    address = urlsplit(neptune_address(os.environ["NEPTUNE_API_TOKEN"]))
    if address.scheme != "https" and address.hostname not in LOOPBACK:
        raise ParamsError(
            f"neptune: NEPTUNE_API_TOKEN names {address.scheme}://{address.hostname}, to which "
            "the token would be sent unencrypted; only a server on this machine may omit https"
        )


def neptune_address(token: str) -> str:
    """Return the address of a token's server.

    Raises:
        ParamsError: it is not a Neptune token.
    """
    try:
        content = json.loads(base64.b64decode(token, validate=True))
        return str(content.get("api_url") or content["api_address"])
    except (ValueError, KeyError, AttributeError, TypeError):
        # the token is a secret, even if malformed
        raise ParamsError(
            "neptune: NEPTUNE_API_TOKEN is not a Neptune token (base64 of a JSON object with "
            "api_address); copy it again, completely"
        ) from None


def check_mlflow() -> None:
    """Check that MLflow is installed.

    Raises:
        ParamsError: it is not.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise ParamsError("mlflow: not installed; pip install 'vestibular[mlflow]'")


def environment(target: str, call_seconds: float) -> dict[str, str]:
    """Return a worker's environment: this one, with the client's own timeouts below ours."""
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
    """Format one row per run and target, followed by the reasons for anything missing."""
    table = [["target", "run", "pushed", "already there", "failed"]]
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
        # a reason shared by several items is given once
        for reason, (place, *others) in why.items():
            also = f" and {len(others)} more" if others else ""
            reasons.append(f"{result.target}  {place}{also}: {reason}")
        if more:
            reasons.append(f"... and {more} more")
        if result.fault:
            reasons.append(f"{result.target}: {result.fault}{_server(result.target)}")
        if not result.candidates and not result.fault:
            reasons.append(f"{result.target}: no runs yet; `dvc repro` creates them")
    if len(table) == 1:
        return "\n".join(reasons)
    shown = tabulate(table, tablefmt="plain", disable_numparse=True)
    return "\n".join([shown, *reasons])


def _server(target: str) -> str:
    """Return the server that was asked, and how to start one's own."""
    if target != "neptune":
        return ""
    address = urlsplit(neptune_address(os.environ["NEPTUNE_API_TOKEN"]))
    # without user name and password, which an address may contain
    place = f"{address.scheme}://{address.netloc.rpartition('@')[2]}"
    own = "; `vestibular neptune-server` starts it" if address.hostname in LOOPBACK else ""
    return f" (asked: {place}, from NEPTUNE_API_TOKEN{own})"
