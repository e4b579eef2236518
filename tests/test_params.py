"""Settings: what is accepted, and that every fault is named at once, at its place."""

from pathlib import Path

import pytest

from vestibular.core.errors import ParamsError
from vestibular.core.yaml_files import read_yaml, replace_values
from vestibular.params.project import load_params

ROOT = Path(__file__).parents[1]
DEMO = (ROOT / "params.yaml").read_text(encoding="utf-8")


def load(folder: Path, text: str) -> object:
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return load_params(path)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ParamsError) as error:
        load(folder, text)
    return [line.split("params.yaml: ", 1)[1] for line in str(error.value).splitlines()]


@pytest.mark.parametrize(
    "path", [ROOT / "params.yaml", *(ROOT / "params").glob("*.yaml")], ids=lambda path: path.name
)
def test_shipped_settings_are_valid(path: Path) -> None:
    """Every settings file in the repository loads."""
    assert load_params(path).candidates


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "1.e-4", "0.0001", "+1e-4"])
def test_exponents_are_numbers_as_for_dvc(tmp_path: Path, text: str) -> None:
    """YAML 1.2's floats, which plain PyYAML takes for text, are numbers."""
    params = load(tmp_path, DEMO.replace("learning_rate: 1e-2", f"learning_rate: {text}"))
    assert params.train.learning_rate == 1e-4


def test_a_candidate_overrides_single_values(tmp_path: Path) -> None:
    """An override replaces its own key and leaves its neighbours as they are in `train`."""
    text = DEMO.replace(
        "base_model: demo/bases/opt-tiny", "base_model: demo/bases/opt-tiny\n    lora: {r: 3}"
    )
    lora = load(tmp_path, text).candidates["opt-tiny"].train.lora
    assert (lora.r, lora.alpha, lora.dropout) == (3, 16, 0.1)


def test_all_faults_come_in_one_message(tmp_path: Path) -> None:
    """Several mistakes are reported together, each with the path of its key, none twice."""
    text = (
        DEMO.replace("seed: 42", "seed: forty")
        .replace("r: 8", "r: 0")
        .replace("epochs: 1", "epoch: 1")
        .replace("{question}", "")
        .replace("base_model: demo/bases/opt-tiny", "base_model: 3\n    learning_rate: -1")
    )
    assert faults(tmp_path, text) == [
        "seed: must be a valid integer (got 'forty')",
        "prompt.template: must hold {question} exactly once (found 0 times)",
        "train.epochs: is missing",
        "train.lora.r: must be greater than 0 (got 0)",
        "train.epoch: is not a setting; did you mean epochs?",
        "candidates.opt-tiny.base_model: must be a valid string (got 3)",
        "candidates.opt-tiny.learning_rate: must be greater than 0 (got -1)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  opt-tiny:", "  opt.tiny:", "candidates.opt.tiny: a candidate's name may hold"),
        ("    r: 8", "    r: 8\n    rank: 8", "train.lora.rank: is not a setting"),
        ("batch_size: 16", "batch_size: 1.5", "train.batch_size: must be a valid integer"),
        ("checkpoint_steps: 50", "checkpoint_steps: 7", "must be a multiple of logging_steps (5)"),
        ("articles: pt", "articles: de", "evaluate.articles: must be 'pt', 'en' or 'none'"),
        ("seed: 42", "seed: 42\nseed: 43", "the key 'seed' stands here twice"),
        ("seed: 42", "seed: [42", "not YAML"),
        ("seed: 42", "seed: {{x}}", "line 3: not YAML: braces or brackets in the place of a key"),
        ("  opt-tiny:", "  GPT2-mini:", "candidates.GPT2-mini: differs from gpt2-mini in case"),
        ("  validation: dev", "  validation: ./train", "data: train and validation are the same"),
        ("learning_rate: 1e-2", "learning_rate: .inf", "train.learning_rate: must be a finite"),
        ("  opt-tiny:", "  2020-01-01:", "put it in quotes"),
        ("tie_breakers: [exact_match]", "tie_breakers: [foo]", "select.tie_breakers.0: must be"),
        ("[untouched_base, empty", "[empty_answer, empty", "select.must_beat: names one twice"),
        (
            "folds: []",
            "folds: 3",
            "evaluate.folds: DVC needs the folds one by one: write [1, 2, 3]",
        ),
        ("folds: []", "folds: [1, 3]", "evaluate.folds: must count from 1"),
        ("folds: []", "folds: [1]", "evaluate.folds: must count from 1"),
        ("seeds: []", "seeds: [7, 7]", "train: seeds: names `seed`, or one twice"),
        ("seeds: []", "seeds: [-1]", "train.seeds.0: must be greater than or equal to 0"),
        ("seeds: []", "seeds: [42]", "train: seeds: names `seed`, or one twice"),
        ("    base_model: demo/bases/opt-tiny", "    base_model: b\n    seeds: [1]", "train.seeds"),
        ("constraints: {}", "constraints: {max_bytes: 1}", "did you mean max_model_bytes?"),
        ("constraints: {}", "constraints: {max_model_bytes: 0}", "must be greater than 0"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    """A single mistake gives a message with its place and what is wrong."""
    assert old in DEMO
    assert fault in "\n".join(faults(tmp_path, DEMO.replace(old, new)))


def test_no_candidates_are_refused(tmp_path: Path) -> None:
    """DVC would call an empty list of candidates up to date."""
    text = DEMO.split("candidates:")[0] + "candidates: {}\n"
    assert faults(tmp_path, text) == ["candidates: is empty; name at least one base model"]


@pytest.mark.parametrize("text", ["", "- 1\n", "just text\n"])
def test_something_else_than_settings_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is no mapping is refused in one line."""
    assert "must be a mapping of settings" in "\n".join(faults(tmp_path, text))


def test_a_missing_file_says_where_to_be(tmp_path: Path) -> None:
    """Outside the project's folder the message says so."""
    with pytest.raises(ParamsError, match="top folder"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("name", ["str", "bool"])
def test_a_candidate_keeps_its_name_in_a_fault(tmp_path: Path, name: str) -> None:
    """Even one that is called as a type is."""
    text = DEMO.replace("  opt-tiny:", f"  {name}:").replace(
        "base_model: demo/bases/opt-tiny", "base_model: demo/bases/opt-tiny\n    batch_size: 0"
    )
    (fault,) = faults(tmp_path, text)
    assert fault.startswith(f"candidates.{name}.batch_size: ")


def test_merges_may_be_nested_and_overridden(tmp_path: Path) -> None:
    """A key that stands once where it is written is no repeated one, whatever is merged in."""
    path = tmp_path / "x.yaml"
    path.write_text(
        "outer: {first: &a {x: 1, y: 1}, second: &b {<<: *a, x: 2}}\nthird: {<<: *b, y: 3}\n",
        encoding="utf-8",
    )
    content = read_yaml(path)
    assert content["outer"]["second"] == {"x": 2, "y": 1}
    assert content["third"] == {"x": 2, "y": 3}
    path.write_text("a: &a {x: 1}\nb: {<<: *a, y: 1, y: 2}\n", encoding="utf-8")
    with pytest.raises(ParamsError, match="'y' stands here twice"):
        read_yaml(path)


@pytest.mark.parametrize(
    "text",
    [
        "x: &id owner/name\na: {base: *id}\n",
        "a: &a {base: owner/name, revision: main}\nb: *a\n",
        "x: &a {revision: main}\na:\n  <<: *a\n  base: owner/name\n",
    ],
)
def test_a_value_that_others_share_is_not_replaced(tmp_path: Path, text: str) -> None:
    """An edit that would land at an alias's anchor leaves the file as it is."""
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParamsError, match=r"alias or merge .*by hand a\.revision: c0ffee"):
        replace_values(path, {("a", "revision"): "c0ffee"})
    assert path.read_text(encoding="utf-8") == text
