"""What the report says, and how it is put together."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from conftest import ROOT, environment
from exam import NASTY, exam
from results import exam_cost, training_cost

from vestibular.core.costs import CandidateCosts
from vestibular.report.charts import MOST_POINTS, thinned
from vestibular.report.exhibits import cost_chart, kinds, loss_chart, questions_data
from vestibular.report.figures import figure, signed, size
from vestibular.report.first_screen import first_screen
from vestibular.report.origins import data_table, machines_table, settings
from vestibular.report.page import as_script_data, script_source, template_text
from vestibular.report.report import board, comparisons

COSTS = defaultdict(
    lambda: CandidateCosts(
        run="ab",
        train=training_cost(seconds=9.9),
        evaluate=exam_cost(latency_p95=0.0167, peak_process_bytes=664358912),
    )
)
"""What was measured of any candidate."""


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (82_000_000, "82.0 M"),
        (999_600, "1.00 M"),
        (999_400, "999 k"),
        (9_996, "10.0 k"),
        (1_234_567_890_123, "1.23 T"),
        (12, "12.0"),
        (0.01234, "0.0123"),
        (0, "0"),
    ],
)
def test_figures_have_three_digits(number: float, text: str) -> None:
    """Large numbers get a prefix; rounding may carry over to the next one."""
    assert figure(number) == text.replace(" ", "\N{NO-BREAK SPACE}")


def test_words_for_numbers() -> None:
    """Signs and bytes as one writes them."""
    assert [signed(number) for number in (0.12345, -0.2, -0.0001)] == [
        "+0.123",
        "\N{MINUS SIGN}0.200",
        "0.000",
    ]
    assert [size(number) for number in (664358912, 12)] == [
        "664\N{NO-BREAK SPACE}MB",
        "12.0\N{NO-BREAK SPACE}B",
    ]


def test_long_curves_are_thinned_to_their_end() -> None:
    """At most so many points, the last one among them; short curves stay as they are."""
    rows = [{"step": step} for step in range(1000)]
    assert len(thinned(rows)) <= MOST_POINTS
    assert thinned(rows)[-1] == rows[-1]
    assert thinned(rows[:MOST_POINTS]) == rows[:MOST_POINTS]
    assert thinned([]) == []


def test_a_clear_winner_is_named_with_its_figures() -> None:
    """The headline has the score with its interval, where it stands, and the cost."""
    selection = exam({"best": 0.9, "other": 0.2}).selection
    shown = first_screen(selection, COSTS)
    score = selection["candidates"]["best"]["scores"]["f1"]
    assert shown["headline"] == (
        f"best goes into production: F1 {score['value']:.3f} ({score['low']:.3f} to "
        f"{score['high']:.3f}), significantly ahead of other, at "
        "82.0\N{NO-BREAK SPACE}M operations an answer."
    )
    assert [answer["question"] for answer in shown["answers"]] == [
        "Which?",
        "How sure?",
        "Why?",
        "At what cost?",
    ]
    assert shown["answers"][0]["figure"] == "best"
    assert shown["answers"][1]["figure"].startswith("p ")
    assert shown["notices"] == []
    gap = selection["candidates"]["other"]["against_leader"]["f1"]["value"]
    assert gap < 0
    assert f"F1 {signed(-gap)} against other" in shown["answers"][1]["text"]


def test_a_tie_goes_to_the_cheapest_and_says_so() -> None:
    """The headline does not claim a lead that the data does not show."""
    selection = exam({"cheap": 0.5, "dear": 0.6}).selection
    assert selection["winner"] == "cheap"
    assert selection["leader"] == "dear"
    shown = first_screen(selection, COSTS)
    assert "not significantly below dear" in shown["headline"]
    assert shown["answers"][2]["figure"] == "cheapest of the tied"
    gap = selection["candidates"]["cheap"]["against_leader"]["f1"]
    assert f"F1 {signed(gap['value'])} against dear" in shown["answers"][1]["text"]
    best = exam({"cheap": 0.5, "dear": 0.6}, when_tied="best_point_estimate").selection
    assert "ahead of cheap, but not significantly" in first_screen(best, COSTS)["headline"]


def test_a_refusal_names_no_winner() -> None:
    """Below a reference point the page says that nothing was promoted, and why."""
    selection = exam({"poor": 0.1, "poorer": 0.0}, must_beat=["annotators"]).selection
    assert not selection["promoted"]
    shown = first_screen(selection, COSTS)
    points = selection["reference_points"]["annotators"]["scores"]["f1"]["value"]
    assert shown["headline"].startswith("No model goes into production: the best, poor, has F1")
    assert shown["headline"].endswith(f"not above the annotators ({points:.3f}).")
    assert shown["answers"][0]["figure"] == "none"
    assert "select.allow_below_reference: true" in shown["notices"][0]
    assert not any(row["promoted"] for row in board(selection))


NBSP = "\N{NO-BREAK SPACE}"


def test_what_was_measured_is_shown_and_nothing_else() -> None:
    """An exam or a training that ran elsewhere has no figure on the page."""
    made = exam({"best": 0.9})
    both, exam_alone, training_alone, neither = (
        CandidateCosts(
            run="ab",
            train=training_cost(seconds=9.9) if trained else None,
            evaluate=exam_cost(latency_p95=0.0167) if examined else None,
        )
        for trained, examined in ((True, True), (False, True), (True, False), (False, False))
    )

    def said(costs: CandidateCosts) -> str:
        text = first_screen(made.selection, {"best": costs})["answers"][3]["text"]
        return text.replace(NBSP, " ")

    answers = "95 of 100 answers within 0.0167 s, 664 MB of memory at most"
    assert said(both) == f"operations an answer. Measured: {answers}, trained in 9.9 s."
    assert said(exam_alone) == f"operations an answer. Measured: {answers}."
    assert said(training_alone) == "operations an answer. Measured: trained in 9.9 s."
    assert said(neither) == "operations an answer. Not measured on this machine."

    def cells(costs: CandidateCosts) -> list[str]:
        (row,) = cost_chart(made.selection, {"best": costs})["table"]["rows"]
        return [cell.replace(NBSP, " ") for cell in (*row[2:5], row[7])]

    assert cells(both) == ["0.0167", "363", "664 MB", "9.9"]
    assert cells(neither) == ["not measured"] * 4
    assert machines_table({"best": neither})["rows"] == []
    assert "not known on this machine" in machines_table({"best": neither})["text"]
    assert ["python", "3.11"] in machines_table({"best": both})["rows"]


def test_a_page_without_measured_costs_is_written(tmp_path: Path) -> None:
    """A clone that fetched the results of another machine shows them all the same."""
    made = exam({"a": 0.9, "b": 0.5})
    made.costs = {name: CandidateCosts(run=name, train=None, evaluate=None) for name in "ab"}
    text = made.write(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Not measured on this machine." in text
    assert text.count("not measured") == 2 * 4


@pytest.mark.parametrize("loss", ["", "0.0"])
def test_a_training_without_a_curve_has_a_chart(loss: str) -> None:
    """It was shorter than `train.logging_steps`, or learned until no loss was left."""
    row = {"epoch": "1.0", "loss": loss, "validation_loss": ""}
    chart = loss_chart({"a": [row]}, ["a"])
    zero = "0" if loss else ""
    assert chart["table"]["rows"] == [["a", zero, zero, "", ""]]
    assert "<svg" in chart["wide"]


def test_a_promotion_below_a_reference_point_is_announced() -> None:
    """With the flag the winner is named, and so is what it is not above."""
    selection = exam({"poor": 0.1}, must_beat=["annotators"], allow_below_reference=True).selection
    shown = first_screen(selection, COSTS)
    assert "though not above the annotators" in shown["headline"]
    (notice,) = shown["notices"]
    assert "not above the annotators" in notice
    assert "select.allow_below_reference" in notice


def test_the_plain_sort_is_named_as_what_lets_a_model_through() -> None:
    """`select.rule: published` asks for no reference point, and no other setting is blamed."""
    selection = exam({"poor": 0.1}, must_beat=["annotators"], rule="published").selection
    (notice,) = first_screen(selection, COSTS)["notices"]
    assert notice.endswith("select.rule: published is set.")


def test_constraints_may_leave_nobody() -> None:
    """The page still stands, on the figures of the best by score."""
    made = exam({"a": 0.9, "b": 0.5}, constraints={"max_trainable_parameters": 1})
    shown = first_screen(made.selection, COSTS)
    assert shown["headline"].endswith("every candidate is beyond a constraint.")
    assert shown["answers"][2]["figure"] == "beyond a constraint"
    assert "max_trainable_parameters" in shown["notices"][0]


def test_the_plain_sort_claims_no_more() -> None:
    """`select.rule: published` goes by exact match, and the page says so."""
    selection = exam({"a": 0.9, "b": 0.5}, rule="published").selection
    shown = first_screen(selection, COSTS)
    assert "EM 0." in shown["headline"]
    assert shown["answers"][2]["figure"] == "the plain sort"
    assert shown["answers"][0]["text"] == "Rank 1 of 2 by EM, then F1; runner-up b."
    assert "questions, all one way, are the fewest that count" in shown["answers"][1]["text"]


def test_one_candidate_has_nobody_to_beat() -> None:
    """Its own interval stands where the comparison would."""
    shown = first_screen(exam({"only": 0.5}).selection, COSTS)
    assert "the only candidate" in shown["headline"]
    assert shown["answers"][1]["figure"].startswith("F1 0.")


def test_the_leaderboard_ends_with_the_reference_points() -> None:
    """Candidates by rank, then what needs no model, all with intervals."""
    rows = board(exam({"worse": 0.2, "better": 0.9}).selection)
    assert [row["name"] for row in rows] == [
        "better",
        "worse",
        "Empty answer",
        "Whole context",
        "Overlap sentence",
        "Annotators",
    ]
    for row in rows:
        for metric in ("exact_match", "f1"):
            assert row["scores"][metric]["low"] <= row["scores"][metric]["high"]
    assert [row["promoted"] for row in rows] == [True, *[False] * 5]


def test_comparisons_count_who_alone_was_right() -> None:
    """The numbers behind McNemar's test equal a plain count."""
    made = exam({"a": 0.9, "b": 0.5})
    match = {
        name: [row.after.exact_match for row in rows] for name, rows in made.predictions.items()
    }
    alone = [
        sum(one > two for one, two in zip(match[x], match[y], strict=True)) for x, y in ("ba", "ab")
    ]
    (row,) = comparisons(made.selection)[0]["rows"]
    assert row[0] == "b"
    assert row[3] == f"{alone[0]} : {alone[1]}"


def test_a_limit_that_is_not_met_is_in_a_table() -> None:
    """Measured and allowed, side by side."""
    made = exam({"a": 0.9, "b": 0.5}, constraints={"max_trainable_parameters": 8192})
    table = comparisons(made.selection)[-1]
    assert table["titles"] == ["Candidate", "max_trainable_parameters"]
    assert ["b", "8.19\N{NO-BREAK SPACE}k of 8.19\N{NO-BREAK SPACE}k, not met"] in table["rows"]


def test_kinds_have_the_means_of_their_questions() -> None:
    """A group's scores are those of its members, counted by hand."""
    made = exam({"a": 0.5, "b": 0.9}, leaks=True)
    found = kinds(made.questions, made.predictions, "pt", "f1", 42)
    assert [kind["title"] for kind in found] == [
        "Question word",
        "Length of the answer",
        "Length of the context",
        "Where in the context the answer stands",
        "Overlap with the training data",
    ]
    row = next(row for row in found[0]["rows"] if row["label"] == "onde")
    members = [place for place, q in enumerate(made.questions) if q.question.startswith("Onde")]
    expected = [
        sum(made.predictions[name][place].after.f1 for place in members) / len(members)
        for name in ("a", "b")
    ]
    assert row["count"] == len(members)
    assert [score["f1"] for score in row["scores"]] == pytest.approx(expected)
    assert [row["count"] for row in found[-1]["rows"]] == [60, 50, 10]
    assert f"a, onde: F1 {expected[0]:.3f}" in found[0]["drawing"]


def test_without_a_language_or_leaks_their_groups_are_left_out() -> None:
    """A language without a list of words, or none at all, is no fault."""
    made = exam({"a": 0.5})
    for language in (None, "xx"):
        found = kinds(made.questions, made.predictions, language, "f1", 42)
        assert [kind["title"] for kind in found] == [
            "Length of the answer",
            "Length of the context",
            "Where in the context the answer stands",
        ]
        data = questions_data(made.questions, made.predictions, language)
        assert {row["word"] for row in data["questions"]} == {""}


def test_contexts_stand_in_the_page_once() -> None:
    """Questions point at their context; the answer's place counts as JavaScript counts."""
    made = exam({"a": 0.5})
    data = questions_data(made.questions, made.predictions, "pt")
    assert len(data["contexts"]) == len(set(data["contexts"]))
    for row, question in zip(data["questions"], made.questions, strict=True):
        context = data["contexts"][row["context"]]
        assert context == question.context
        start, end = (2 * place for place in row["answer"])
        units = context.encode("utf-16-le")
        assert units[start:end].decode("utf-16-le") == question.answers[0]


def test_the_data_table_says_what_leaks() -> None:
    """How many validation questions training gives away; nothing where there is none."""
    table = data_table(exam({"a": 0.5}, leaks=True).audit)
    assert table["text"].startswith("Training gives 10 of 60 validation questions away")
    assert table["rows"][0] == ["train", "7", "20", "60", "ab" * 32]
    assert data_table(exam({"a": 0.5}).audit)["text"] == ""


def test_settings_are_shown_once() -> None:
    """By dotted keys; a candidate shows only what is its own."""
    made = exam({"a": 0.5})
    own = made.params.candidate("a").model_copy(
        update={"train": made.params.train.model_copy(update={"epochs": 7})}
    )
    found = dict(settings(made.params.model_copy(update={"candidates": {"a": own}})))
    assert found["train.lora.r"] == "8"
    lora = made.params.train.lora.model_copy(update={"options": {"use_rslora": True}})
    own = own.model_copy(update={"train": made.params.train.model_copy(update={"lora": lora})})
    shown = dict(settings(made.params.model_copy(update={"candidates": {"a": own}})))
    assert shown["candidates.a.lora.options.use_rslora"] == "true"
    assert found["candidates.a.epochs"] == "7"
    assert [key for key in found if key.startswith("candidates.")] == [
        "candidates.a.base_model",
        "candidates.a.epochs",
    ]


def test_the_page_holds_no_tag_and_no_address_of_the_data(tmp_path: Path) -> None:
    """Two script elements are its own, the second one the only one that may run."""
    text = exam({"a": 0.5, "b": 0.4}).write(tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("</script") == 2
    assert 'id="broken"' not in text
    assert NASTY not in text
    assert script_source(template_text("page.js")) in text
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    names = re.findall(r'\bid="([^"]+)"', text)
    assert len(names) == len(set(names))


def test_script_data_is_json_for_javascript() -> None:
    """Nothing that ends a script element, or a line in old engines, is left as it is."""
    text = str(as_script_data({"a": "</script><!-- \u2028 & ã"}))
    assert not set("<>&\u2028") & set(text)
    assert "ã" in text


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    """Another process writes the same page: no time, no order of a set, no chance."""
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, 'tests'); from exam import exam;"
        "exam({'a': 0.5, 'b': 0.4}, leaks=True).write(Path(sys.argv[1]))"
    )
    for name in ("one", "two"):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / name)],
            cwd=ROOT,
            check=True,
            env={**environment(), "PYTHONHASHSEED": "1" if name == "one" else "2"},
        )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
