"""Errors that a user can correct, and how a command reports them."""

import errno
import functools
import os
import sys
from collections.abc import Callable

EXIT_CODE = 2
"""Exit status of a command that stopped because of its input."""

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a file that cannot grow: no space, quota exceeded, or size limit."""

BROKEN_PIPE_EXIT_CODE = 141
"""Exit status of a command whose reader closed the pipe, as in a shell."""

INTERRUPTED_EXIT_CODE = 130
"""Exit status of a command stopped by Ctrl-C, as in a shell."""


class VestibularError(Exception):
    """A fault that the user can correct; the text says where, what and what to do."""


class ParamsError(VestibularError):
    """The settings are missing, malformed or contradict each other."""


class DataError(VestibularError):
    """A data file is missing, malformed or contains no question that can be asked."""


class BaseModelError(VestibularError):
    """A base model is missing, incomplete, changed, or unfit for what the settings ask."""


class LaunchError(VestibularError):
    """A command was started in a way in which it cannot work."""


class LostProcessError(VestibularError):
    """Another process of the same training has ended, or does not answer."""


class BusyError(VestibularError):
    """Another process is already doing this work."""


class GitError(VestibularError):
    """Git does not open the repository, or does not have the requested object."""


class NoRepositoryError(GitError):
    """The folder is not in a git repository."""


class NoGitError(GitError):
    """Git is not installed."""


class ShallowHistoryError(GitError):
    """The answer is in a part of the history that a shallow clone does not have."""


def first_line(error: BaseException) -> str:
    """Return the first line of another library's message, or the error's name if it has none."""
    return (str(error).strip().splitlines() or [""])[0][:200] or type(error).__name__


def caused_by_system(error: BaseException) -> OSError | None:
    """Return the system error that another library has wrapped in its own."""
    cause = error.__cause__
    while cause is not None and not (isinstance(cause, OSError) and cause.errno):
        cause = cause.__cause__
    return cause


def out_of_memory(error: BaseException) -> bool:
    """Return whether torch (not imported here) or Python ran out of memory."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )


def _check_arguments() -> None:
    """Refuse arguments that cannot be printed: bytes that are not UTF-8.

    Raises:
        LaunchError: there is one.
    """
    for argument in sys.argv[1:]:
        if any("\udc80" <= letter <= "\udcff" for letter in argument):
            shown = argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            raise LaunchError(
                f"{shown}: not UTF-8; type it in a terminal that writes UTF-8, or convert it "
                "(`iconv -f latin1 -t utf-8`)"
            )


def exit_on_error(command: Callable[..., None]) -> Callable[..., None]:
    """Make `command` end with one message and a status instead of a traceback.

    A `VestibularError`, a file that the system will not read or write, too little memory, a package
    that is not installed, or an argument that is not UTF-8 ends in exit status 2; Ctrl-C in 130.
    Every other exception is a defect of the program and keeps its traceback.
    """

    @functools.wraps(command)
    def run(*args: object) -> None:
        try:
            _check_arguments()
            command(*args)
        except VestibularError as error:
            print(error, file=sys.stderr)
            raise SystemExit(EXIT_CODE) from None
        except ImportError as error:
            # a module of ours, or a name that an installed package lacks, is a defect
            missing = isinstance(error, ModuleNotFoundError) or error.name is None
            if not missing or (error.name or "").partition(".")[0] == "vestibular":
                raise
            said = first_line(error)
            print(f"a package is missing: {said}; install it with pip", file=sys.stderr)
            raise SystemExit(EXIT_CODE) from None
        except BrokenPipeError:
            # the reader closed the pipe; flushing the rest at exit would fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(BROKEN_PIPE_EXIT_CODE) from None
        except OSError as error:
            if error.errno not in DISK_FULL:
                said = (error.strerror or str(error) or type(error).__name__).lower()
                # an error about a connection or a process names no file
                print(f"{error.filename}: {said}" if error.filename else said, file=sys.stderr)
                raise SystemExit(EXIT_CODE) from None
            where = error.filename or "the output folder"
            print(
                f"{where}: no space left on the disk; nothing was replaced. "
                "Free some space and run the command again.",
                file=sys.stderr,
            )
            raise SystemExit(EXIT_CODE) from None
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            said = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
            print(
                f"not enough memory ({said}); `vestibular plan` says what each candidate takes "
                "and which settings would fit",
                file=sys.stderr,
            )
            raise SystemExit(EXIT_CODE) from None
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise SystemExit(INTERRUPTED_EXIT_CODE) from None

    return run
