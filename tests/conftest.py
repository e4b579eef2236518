"""What several tests need: tiny real models, and the data that lies outside the repository."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.clones import MadeOnce, clone_project, commit_first
from tests.support.commands import ROOT, run
from tests.support.scheduling import TOGETHER, Scheduler
from tests.support.warm import Warm, warmed

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
# each command of DVC's would start a process that sends a report
os.environ["DVC_NO_ANALYTICS"] = "1"
# several tests run at a time: torch's threads, waiting for each other, would take the cores
os.environ["OMP_NUM_THREADS"] = "1"

# a busy machine is no fault of the code's
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

SHARED = ROOT.parent / "shared" / "data"
WHOLLY_SLOW = re.compile(r"^pytestmark = (\[\s*)?pytest\.mark\.slow\b", re.MULTILINE)
"""A module of slow tests alone."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the tests' own option."""
    parser.addoption(
        "--warm",
        action="store_true",
        help="let a server import torch and the like once for all commands (Linux); "
        "many tests take a third of the time, a single one longer",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start the server of warm commands, one for all of xdist's processes."""
    is_first = "PYTEST_XDIST_WORKER" not in os.environ
    # it rests on forks as Linux has them
    if config.getoption("--warm") and is_first and sys.platform == "linux":
        server = Warm(light=config.getoption("markexpr") == "not slow")
        config.add_cleanup(server.close)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share tests out one by one, but for those that belong together."""
    return Scheduler(config, log)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Spare the quick tests the imports of modules that hold none."""
    if config.getoption("markexpr") != "not slow" or collection_path.suffix != ".py":
        return None
    return bool(WHOLLY_SLOW.search(collection_path.read_text(encoding="utf-8"))) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests for several processes: none waits long for what another one makes.

    First one that makes the run of the pipeline that many tests begin with, and beside it slow
    tests that need none, those first that are shared out together; then those that need it, and
    what is quick last.
    """
    needing = [item for item in items if "reproduced_once" in fixtures(item)]
    first = needing[:1]

    def place(item: pytest.Item) -> int:
        if item in first:
            return 0
        if item.path.name in TOGETHER:
            return 1
        if item.get_closest_marker("slow") is None:
            return 4
        return 3 if "reproduced_once" in fixtures(item) else 2

    items.sort(key=place)


def fixtures(item: pytest.Item) -> Collection[str]:
    """Return the names of the fixtures that a test uses, those of its fixtures too."""
    return getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def faquad() -> Path:
    """FaQuAD's folder: `data/faquad`, or a folder beside the repository."""
    for folder in (ROOT / "data/faquad", SHARED / "faquad"):
        if (folder / "dev.json").exists():
            return folder
    pytest.skip("FaQuAD's files are not here; data/README.md says where they are to be had")


@pytest.fixture(scope="session")
def gpt2_tokenizer_folder() -> Path:
    """Folder of the real GPT-2 tokenizer."""
    folder = SHARED / "gpt2-tokenizer"
    if not folder.is_dir():
        pytest.skip("GPT-2's tokenizer is not here")
    return folder


@pytest.fixture(scope="session")
def gpt2_tokenizer(gpt2_tokenizer_folder: Path) -> Any:
    """The real GPT-2 tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(gpt2_tokenizer_folder)


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Make a folder for all tests to copy, whichever of xdist's processes needs it first."""
    base = tmp_path_factory.getbasetemp()
    # each of xdist's processes has a folder of its own within that of the run
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made-once"

    def folder_of(name: str, make: Callable[[Path], None]) -> Path:
        shared.mkdir(exist_ok=True)
        folder, half = shared / name, shared / f"{name}.half"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                shutil.rmtree(half, ignore_errors=True)
                make(half)
                half.rename(folder)
        return folder

    return folder_of


@pytest.fixture(scope="session", autouse=True)
def _warm() -> Iterator[None]:
    """Let commands ask the server, if there is one."""
    with warmed():
        yield


@pytest.fixture(scope="session")
def cloned_once(made_once: MadeOnce) -> Path:
    """The clone that `project` is a copy of."""
    return made_once("cloned", clone_project)


@pytest.fixture(scope="session")
def prepared_once(made_once: MadeOnce, cloned_once: Path) -> Path:
    """The same after the stage `prepare`."""

    def prepare(folder: Path) -> None:
        shutil.copytree(cloned_once, folder)
        run(folder, sys.executable, "-m", "stages.prepare")

    return made_once("prepared", prepare)


@pytest.fixture(scope="session")
def reproduced_once(made_once: MadeOnce, cloned_once: Path) -> Path:
    """The same after `dvc repro`; what that printed lies in `.vestibular`."""

    def reproduce(folder: Path) -> None:
        shutil.copytree(cloned_once, folder)
        result = run(folder, "dvc", "repro")
        (folder / ".vestibular/repro.out").write_text(result.stdout, encoding="utf-8")
        (folder / ".vestibular/repro.err").write_text(result.stderr, encoding="utf-8")

    return made_once("reproduced", reproduce)


@pytest.fixture
def project(cloned_once: Path, tmp_path: Path) -> Path:
    """A clone of the project as it stands, small enough to run: few questions, few steps."""
    return Path(shutil.copytree(cloned_once, tmp_path / "project"))


@pytest.fixture
def prepared_project(prepared_once: Path, tmp_path: Path) -> Path:
    """The same with its settings checked, its questions audited and its bases pinned."""
    return Path(shutil.copytree(prepared_once, tmp_path / "project"))


@pytest.fixture
def reproduced_project(reproduced_once: Path, tmp_path: Path) -> Path:
    """The same with a whole run of its pipeline, which nothing has been committed of."""
    return Path(shutil.copytree(reproduced_once, tmp_path / "project"))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The project as it is committed, without DVC's cache."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    folder = tmp_path / "clone"
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    commit_first(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model() -> Callable[[str], Any]:
    """Build a tiny causal model of an architecture, with random weights."""
    import transformers as t
    from torch import manual_seed

    def build(shape: str) -> Any:
        common = {"vocab_size": 151, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
        wide = {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 256,
        }
        gated = {**wide, "intermediate_size": 64, "num_key_value_heads": 2}
        configurations = {
            "gpt2": lambda: t.GPT2Config(**common, n_embd=32, n_layer=2, n_head=4, n_positions=256),
            "opt": lambda: t.OPTConfig(**common, **wide, ffn_dim=64, word_embed_proj_dim=32),
            "llama": lambda: t.LlamaConfig(**common, **gated),
            "qwen2": lambda: t.Qwen2Config(**common, **gated),
            "gpt_neox": lambda: t.GPTNeoXConfig(**common, **wide, intermediate_size=64),
        }
        manual_seed(0)
        model = t.AutoModelForCausalLM.from_config(configurations[shape]())
        # wider than usual, so that the outputs are far from ties
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.data.mul_(6)
        return model.eval()

    return build
