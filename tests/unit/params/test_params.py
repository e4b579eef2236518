"""Settings: what is accepted, and that every fault is named at once, at its place."""

from pathlib import Path

import pytest

from tests.support.commands import ROOT
from vestibular.core.candidates import load_for_candidate
from vestibular.core.errors import ParamsError
from vestibular.core.yaml_files import parse_yaml, read_yaml, replace_values
from vestibular.examination.settings import ExamParams
from vestibular.params.project import load_params
from vestibular.training.settings import TrainingParams

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


@pytest.mark.parametrize(
    "text",
    [
        *("no", "Off", "yes", "true", "017", "0o17", "0x1F", "1_000", "1:30", "~", "1e3", ".5"),
        *("+.inf", "2001-01-01", "'1'", "1.0", "''", "|\n  x\n", "{x: no}", "[on, 08]", "!!str 1"),
    ],
)
def test_a_value_is_what_it_is_for_dvc(text: str) -> None:
    """DVC hashes and interpolates what its own parser reads."""
    from dvc.utils.serialize import parse_yaml as read_by_dvc

    found, expected = parse_yaml(f"a: {text}", Path("x")), read_by_dvc(f"a: {text}", "x")
    assert (found, type(found["a"])) == (expected, type(expected["a"]))


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
        "prompt.template: must contain {question} exactly once (found 0 times)",
        "train.epochs: is missing",
        "train.lora.r: must be greater than 0 (got 0)",
        "train.epoch: is not a setting; did you mean epochs?",
        "candidates.opt-tiny.base_model: must be a valid string (got 3); "
        "YAML reads it as that: put it in quotes if it is text",
        "candidates.opt-tiny.learning_rate: must be greater than 0 (got -1)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  opt-tiny:", "  opt.tiny:", "candidates.opt.tiny: a candidate's name may contain"),
        ("    r: 8", "    r: 8\n    rank: 8", "train.lora.rank: is not a setting; did you mean r?"),
        (
            "bases/opt-tiny",
            "bases/opt-tiny\n    r: 3",
            "candidates.opt-tiny.r: is not a setting; did you mean lora: {r: 3}?",
        ),
        (
            "  epochs: 1",
            "  epochs: 1\n  alpha: 4",
            "train.alpha: is not a setting; did you mean lor",
        ),
        (
            "  epochs: 1",
            "  epochs: 1\n  lr: 1",
            "train.lr: is not a setting; did you mean learning",
        ),
        ("batch_size: 16", "batch_size: 1.5", "train.batch_size: must be a valid integer"),
        ("checkpoint_steps: 50", "checkpoint_steps: 7", "must be a multiple of logging_steps (5)"),
        (
            "articles: pt",
            "articles: ca",
            "evaluate.articles: must be one of ar, de, en, es, fa, fi, fr, hi, id, it, ja,",
        ),
        ("articles: pt", "articles: xx", "for another language write none: articles then count"),
        ("normalization: squad", "normalization: mlqa", "evaluate.articles: must be one of ar, de"),
        ("  margin: 0.03", "  margin: 1", "select.margin: must be less than 1"),
        ("  margin: 0.03", "  when_tied: cheapest", "select.when_tied: no longer exists"),
        ("seed: 42", "seed: 42\nseed: 43", "the key 'seed' appears twice"),
        ("seed: 42", "seed: [42", "not YAML"),
        ("seed: 42", "seed: {{x}}", "line 3: not YAML: a brace or bracket in place of a key"),
        ("  opt-tiny:", "  GPT2-mini:", "candidates.GPT2-mini: differs from gpt2-mini only"),
        ("  validation: dev", "  validation: ./train", "data: train and validation are the same"),
        ("learning_rate: 1e-2", "learning_rate: .inf", "train.learning_rate: must be a finite"),
        ("  opt-tiny:", "  2020-01-01:", "put it in quotes"),
        (
            "base_model: demo/bases/opt-tiny",
            f"base_model: demo/bases/opt-tiny\n    revision: {'7' * 40}",
            "put it in quotes if it is text",
        ),
        ("tie_breakers: [exact_match]", "tie_breakers: [foo]", "select.tie_breakers.0: must be"),
        ("[untouched_base, empty", "[empty_answer, empty", "select.must_beat: lists a name twice"),
        (
            "repeats: []",
            "repeats: 3",
            "repeats: DVC needs a list of names: write [fold-1, fold-2, fold-3]",
        ),
        ("repeats: []", "repeats: [fold-1, fold-3]", "repeats: folds must be numbered from 1"),
        ("repeats: []", "repeats: [fold-1]", "repeats: folds must be numbered from 1"),
        ("repeats: []", "repeats: [fold-1, seed-7, fold-1]", "repeats: lists a name twice"),
        ("repeats: []", "repeats: [fold_1]", "repeats: fold_1: must be fold-N or seed-N"),
        ("repeats: []", "repeats: [fold-0]", "repeats: fold-0: must be fold-N or seed-N"),
        ("repeats: []", "repeats: [seed-007]", "repeats: seed-007: must be fold-N or seed-N"),
        ("language: pt", "language: 1.0", "data.language: must be a valid string (got 1.0); YAML"),
        (
            "language: pt",
            "language: true",
            "data.language: must be a valid string (got True); YAML reads it as that: put it "
            "in quotes if it is text",
        ),
        ("repeats: []", "repeats: [7]", "repeats: 7: must be fold-N or seed-N: write seed-7 for"),
        ("repeats: []", "repeats: [true]", "repeats: True: must be fold-N or seed-N"),
        ("repeats: []", "repeats: [seed-7, seed-7]", "repeats: lists a name twice, or the seed of"),
        ("repeats: []", "repeats: [seed--1]", "repeats: seed--1: must be fold-N or seed-N"),
        ("repeats: []", "repeats: [seed-4294967296]", "repeats: seed-4294967296: a seed must be"),
        ("repeats: []", "repeats: [seed-42]", "repeats: lists a name twice, or the seed of"),
        ("  epochs: 1", "  epochs: 1\n  seeds: [7]", "train.seeds: is now part of `repeats`"),
        ("  articles: pt", "  articles: pt\n  folds: [1, 2]", "evaluate.folds: is now part of"),
        (
            "    base_model: demo/bases/opt-tiny",
            "    base_model: b\n    seeds: [1]",
            "candidates.opt-tiny.seeds: is not a setting",
        ),
        ("constraints: {}", "constraints: {max_bytes: 1}", "did you mean max_model_bytes?"),
        ("constraints: {}", "constraints: {max_model_bytes: 0}", "must be greater than 0"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    """A single mistake gives a message with its place and what is wrong."""
    assert old in DEMO
    assert fault in "\n".join(faults(tmp_path, DEMO.replace(old, new)))


def test_the_old_places_of_repeats_say_what_to_write(tmp_path: Path) -> None:
    """Folds and seeds were settings of the exam and of the training; both at once, each once."""
    text = DEMO.replace("  epochs: 1", "  epochs: 1\n  seeds: [7]").replace(
        "  articles: pt", "  articles: pt\n  folds: [1, 2, 3]"
    )
    seeds, folds = faults(tmp_path, text)
    assert seeds.startswith("train.seeds: ")
    assert "write `repeats: [seed-7]`" in seeds
    assert folds.startswith("evaluate.folds: ")
    assert "write `repeats: [fold-1, fold-2, fold-3]`" in folds
    # the stages of one candidate read a part each, and say the same
    for model, fault in ((TrainingParams, seeds), (ExamParams, folds)):
        with pytest.raises(ParamsError) as error:
            load_for_candidate(model, "opt-tiny", tmp_path / "params.yaml")
        assert str(error.value) == f"{tmp_path / 'params.yaml'}: {fault}"


def test_repeats_are_folds_and_seeds(tmp_path: Path) -> None:
    """In whatever order they are named; folds come in the order of their numbers."""
    named = ", ".join(["seed-7", *(f"fold-{n}" for n in (2, 10, 1, *range(3, 10))), "seed-0"])
    params = load(tmp_path, DEMO.replace("repeats: []", f"repeats: [{named}]"))
    assert params.folds == tuple(f"fold-{number}" for number in range(1, 11))
    assert params.seeds == ("seed-7", "seed-0")
    assert (load(tmp_path, DEMO).folds, load(tmp_path, DEMO).seeds) == ((), ())


def test_a_stage_of_a_candidate_reads_its_own_part(tmp_path: Path) -> None:
    """A fault elsewhere does not concern it; one in its own part is named where it is written."""
    path = tmp_path / "params.yaml"
    path.write_text(
        DEMO.replace("articles: pt", "articles: ca").replace(
            "base_model: demo/bases/opt-tiny", "base_model: demo/bases/opt-tiny\n    lora: {r: 3}"
        ),
        encoding="utf-8",
    )
    trained = load_for_candidate(TrainingParams, "opt-tiny", path)
    assert (trained.seed, trained.base_model) == (42, "demo/bases/opt-tiny")
    assert (trained.train.lora.r, trained.train.lora.alpha) == (3, 16)
    with pytest.raises(ParamsError, match=r"params\.yaml: evaluate\.articles: must be"):
        load_for_candidate(ExamParams, "opt-tiny", path)
    path.write_text(
        DEMO.replace(
            "base_model: demo/bases/opt-tiny", "base_model: demo/bases/opt-tiny\n    lora: {r: 0}"
        ),
        encoding="utf-8",
    )
    assert load_for_candidate(ExamParams, "opt-tiny", path).evaluate.articles == "pt"
    assert load_for_candidate(TrainingParams, "gpt2-tiny", path).train.lora.r == 8
    with pytest.raises(ParamsError, match=r"candidates\.opt-tiny\.lora\.r: must be greater than 0"):
        load_for_candidate(TrainingParams, "opt-tiny", path)


def test_no_candidates_are_refused(tmp_path: Path) -> None:
    """DVC would call an empty list of candidates up to date."""
    text = DEMO.split("candidates:")[0] + "candidates: {}\n"
    assert faults(tmp_path, text) == ["candidates: is empty; name at least one base model"]


@pytest.mark.parametrize("text", ["", "- 1\n", "just text\n"])
def test_something_else_than_settings_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is no mapping is refused in one line."""
    assert "must be a mapping of settings" in "\n".join(faults(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a": ' * 3000, "not YAML: it is nested too deeply"),
        ("seed: 2001-13-45", "month must be in 1..12; put texts in quotes"),
        ("seed: !!timestamp soon", "not YAML"),
        ("seed: !!int one", "put texts in quotes"),
        ("candidates: &all\n  tiny: *all", "line 2: not YAML: a value that contains itself"),
        ("repeats: &all [*all]", "line 1: not YAML: a value that contains itself"),
    ],
)
def test_what_no_reader_survives_is_one_line(tmp_path: Path, text: str, fault: str) -> None:
    """Depths, days, tags and circles."""
    (found,) = faults(tmp_path, text)
    assert fault in found


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
    with pytest.raises(ParamsError, match="'y' appears twice"):
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
    with pytest.raises(ParamsError, match=r"alias or merge .*by hand: a\.revision: c0ffee"):
        replace_values(path, {("a", "revision"): "c0ffee"})
    assert path.read_text(encoding="utf-8") == text
