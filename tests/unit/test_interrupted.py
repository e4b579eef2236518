"""Ctrl-C while a stage is still being imported."""

import signal
import subprocess
import sys

import pytest

from tests.support.commands import ROOT, environment


@pytest.mark.parametrize("stage", ["prepare", "train", "evaluate_base", "evaluate", "select"])
def test_it_is_a_word_and_no_traceback(stage: str) -> None:
    """As it is later; and whoever started the stage sees that a signal has ended it."""
    # pressed when the first of the library's modules is looked for
    code = (
        "import os, runpy, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.startswith('vestibular.core'):\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        f"runpy.run_module('stages.{stage}', run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "interrupted\n")


def test_other_faults_keep_their_traceback() -> None:
    """They are defects."""
    ended = subprocess.run(
        [sys.executable, "-c", "import stages; 1 / 0"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr
