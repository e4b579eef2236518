"""What the report says, and how it is put together."""

import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from tests.support.commands import ROOT, environment
from tests.support.exam import NASTY, exam
from tests.support.results import exam_cost, training_cost
from vestibular.core.costs import CandidateCosts
from vestibular.core.data_metrics import DrawnSplit
from vestibular.report.charts import MOST_POINTS, thinned
from vestibular.report.epochs import epoch_chart, epoch_words
from vestibular.report.formatting import SPACE, figure, signed, size
from vestibular.report.origins import data_table, machines_table, settings
from vestibular.report.page import as_script_data, script_source, template_text
from vestibular.report.report import board, comparisons
from vestibular.report.sections import cost_chart, kinds, loss_chart, questions_data
from vestibular.report.summary import summarize
from vestibular.selection.remarks import notes, too_few

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
    shown = summarize(selection, COSTS)
    score, fixed = selection.score("best"), selection.corrected
    assert shown["headline"] == (
        f"best goes into production: F1 {score.value:.3f} ({score.low:.3f} to {score.high:.3f}), "
        f"corrected for selection bias {fixed.corrected:.3f}, significantly ahead of other, at "
        "16.7\N{NO-BREAK SPACE}ms per answer."
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
    gap = selection.candidates["other"].against_leader.f1.value
    assert gap < 0
    assert f"F1 {signed(-gap)} against other" in shown["answers"][1]["text"]


def test_a_cheaper_one_within_the_margin_is_said_to_be_that() -> None:
    """The headline does not claim a lead; the cards have the bound."""
    selection = exam({"cheap": 0.5, "dear": 0.6}, margin=0.5).selection
    assert (selection.winner, selection.leader) == ("cheap", "dear")
    shown = summarize(selection, COSTS)
    assert "within 0.5 F1 of the best, dear, and cheaper" in shown["headline"]
    assert shown["answers"][2]["figure"] == "equally good, and cheaper"
    gap = selection.candidates["cheap"].against_leader.f1
    assert f"lower bound {gap.lower:+.3f}" in shown["answers"][2]["text"]
    assert f"F1 {signed(gap.value)} against dear" in shown["answers"][1]["text"]
    assert shown["notices"] == []


def test_cost_without_a_say_is_a_notice() -> None:
    """With the margin that it would take; the lead is not called significant."""
    selection = exam({"cheap": 0.5, "dear": 0.6}).selection
    shown = summarize(selection, COSTS)
    assert "ahead of cheap, but not significantly" in shown["headline"]
    few, notice = shown["notices"]
    assert "too few to tell dear from cheap" in few
    assert notice.startswith("Cost cannot decide with these data")
    assert f"{selection.cost_say.margin_needed:.2f}" in notice
    rows = {row["name"]: row for row in board(selection)}
    assert rows["cheap"]["notes"][0].startswith("beyond margin (F1 ")
    assert "lower bound" in rows["cheap"]["notes"][0]


def test_a_lead_within_the_noise_of_a_reference_point_comes_first() -> None:
    """The headline says it before the score."""
    selection = exam({"near": 0.95}, must_beat=["annotators"], count=27).selection
    assert selection.promoted
    assert selection.unclear == ("annotators",)
    headline = summarize(selection, COSTS)["headline"]
    assert headline.startswith(
        "near goes into production, though not clearly above the annotators ("
    )


def test_few_documents_are_a_notice() -> None:
    """Their number; no figure claims more than they say."""
    selection = exam({"a": 0.9, "b": 0.8}, count=18).selection
    shown = summarize(selection, COSTS)
    assert "There are only 2 documents" in shown["notices"][0]
    alone = exam({"a": 0.9, "b": 0.5}, count=9).selection
    shown = summarize(alone, COSTS)
    assert shown["answers"][1]["figure"] == "unknown"
    assert "With one document there is no interval" in shown["notices"][0]
    assert all(row["scores"].f1.low is None for row in board(alone))


def test_a_refusal_names_no_winner() -> None:
    """Below a reference point the page says that nothing was promoted, and why."""
    selection = exam({"poor": 0.1, "poorer": 0.0}, must_beat=["annotators"]).selection
    assert not selection.promoted
    shown = summarize(selection, COSTS)
    points = selection.reference_points["annotators"].scores.f1.value
    assert shown["headline"].startswith("No model goes into production: the best, poor, has F1")
    assert shown["headline"].endswith(f"not above the annotators ({points:.3f}).")
    assert shown["answers"][0]["figure"] == "none"
    # said once: why in the headline, what to do in the card
    assert shown["answers"][2]["text"] == (
        "Improve it, or set select.allow_below_reference: true to promote it anyway."
    )
    assert not any("promoted" in notice for notice in shown["notices"])
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
        text = summarize(made.selection, {"best": costs})["answers"][3]["text"]
        return text.replace(NBSP, " ")

    answers = "95 of 100 answers take at most that time, and 664 MB of memory."
    assert said(both) == f"{answers} 82.0 M operations per answer. Trained in 9.9 s."
    assert said(exam_alone) == f"{answers} 82.0 M operations per answer."
    unknown = "operations per answer. Latency and memory: not measured on this machine."
    assert said(training_alone) == f"{unknown} Trained in 9.9 s."
    assert said(neither) == unknown

    def cells(costs: CandidateCosts) -> list[str]:
        (row,) = cost_chart(made.selection, {"best": costs})["table"]["rows"]
        return [cell.replace(NBSP, " ") for cell in (*row[2:5], row[7])]

    assert cells(both) == ["0.0167", "363", "664 MB", "9.9"]
    assert cells(neither) == ["not measured"] * 4
    assert machines_table({"best": neither})["rows"] == []
    assert "unknown on this machine" in machines_table({"best": neither})["text"]
    assert ["python", "3.11"] in machines_table({"best": both})["rows"]


def test_the_epochs_are_shown_where_there_are_several() -> None:
    """One by one in a chart and a table; where each training has one, its duration is a cost."""

    def shown(*epochs: tuple[float, ...]) -> Any:
        costs = {
            name: CandidateCosts(run="r", train=training_cost(epoch_seconds=each), evaluate=None)
            for name, each in zip("ab", epochs, strict=False)
        }
        costs["c"] = CandidateCosts(run="r", train=None, evaluate=None)
        return epoch_chart(costs, list(costs))

    assert shown((9.0,), ()) is None
    chart = shown((9.04, 8.0, 7.0), (3.0,))
    assert chart["table"]["titles"][1:] == ["Epoch 1, s", "Epoch 2, s", "Epoch 3, s"]
    assert chart["table"]["rows"] == [
        ["a", "9.04", "8", "7"],
        ["b", "3", "", ""],
        ["c", "", "", ""],
    ]
    for drawing in (chart["wide"], chart["narrow"]):
        words = re.findall(r'aria-label="(\w+: epoch [^"]*)"', drawing)
        assert words == [
            f"a: epoch 1 took 9.04{SPACE}s",
            f"a: epoch 2 took 8{SPACE}s",
            f"a: epoch 3 took 7{SPACE}s",
            f"b: epoch 1 took 3{SPACE}s",
        ]
    assert epoch_words((9.0,)) == "9"
    assert epoch_words((9.0, 7.0, 7.5)) == "7.5 (7 to 9)"
    assert epoch_words(()) == "not measured"


def test_a_page_without_measured_costs_is_written(tmp_path: Path) -> None:
    """A clone that fetched the results of another machine shows them all the same."""
    made = exam({"a": 0.9, "b": 0.5})
    made.costs = {name: CandidateCosts(run=name, train=None, evaluate=None) for name in "ab"}
    text = made.write(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Latency and memory: not measured on this machine." in text
    # five costs of each candidate, and the first screen
    assert text.count("not measured") == 2 * 5 + 1


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
    shown = summarize(selection, COSTS)
    assert "though not above the annotators" in shown["headline"]
    (notice,) = shown["notices"]
    assert "does not exceed the annotators" in notice
    assert "select.allow_below_reference" in notice


def test_the_plain_sort_is_named_as_what_lets_a_model_through() -> None:
    """`select.rule: published` asks for no reference point, and no other setting is blamed."""
    selection = exam({"poor": 0.1}, must_beat=["annotators"], rule="published").selection
    (notice,) = summarize(selection, COSTS)["notices"]
    assert notice.endswith("select.rule: published is set.")


def test_constraints_may_leave_nobody() -> None:
    """The page still stands, on the figures of the best by score."""
    made = exam({"a": 0.9, "b": 0.5}, constraints={"max_trainable_parameters": 1})
    shown = summarize(made.selection, COSTS)
    assert shown["headline"].endswith("every candidate fails a constraint.")
    assert shown["answers"][2]["figure"] == "beyond a constraint"
    assert "max_trainable_parameters" in shown["notices"][0]


def test_the_plain_sort_claims_no_more() -> None:
    """`select.rule: published` goes by exact match, and the page says so."""
    selection = exam({"a": 0.9, "b": 0.5}, rule="published").selection
    shown = summarize(selection, COSTS)
    assert "EM 0." in shown["headline"]
    assert shown["answers"][2]["figure"] == "the plain sort"
    assert shown["answers"][0]["text"] == "Rank 1 of 2 by EM, then F1; runner-up b."
    assert "in exact match is detected with 80 % probability" in shown["answers"][1]["text"]


def test_one_candidate_has_nobody_to_beat() -> None:
    """Its own interval stands where the comparison would."""
    shown = summarize(exam({"only": 0.5}).selection, COSTS)
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
        for score in (row["scores"].exact_match, row["scores"].f1):
            # what scores nothing by its nature has no interval
            assert (score.low is None) == (row["name"] == "Empty answer")
            assert score.low is None or score.low <= score.value <= score.high
    assert [row["promoted"] for row in rows] == [True, *[False] * 5]


def test_comparisons_show_differences_with_bounds_and_p_values() -> None:
    """Less the leader in both metrics, and less each reference point."""
    made = exam({"a": 0.9, "b": 0.5})
    less_leader, less_points = comparisons(made.selection)
    (row,) = less_leader["rows"]
    gap = made.selection.candidates["b"].against_leader
    assert row[0] == "b"
    assert (row[1], row[4]) == (signed(gap.exact_match.value), signed(gap.f1.value))
    assert row[-1] == signed(gap.f1.lower)
    assert len(row) == len(less_leader["titles"])
    match = {
        name: sum(row.after.exact_match for row in rows) / len(rows)
        for name, rows in made.predictions.items()
    }
    assert gap.exact_match.value == pytest.approx(match["b"] - match["a"], abs=1e-6)
    assert less_points["titles"][:2] == ["Candidate", "Untouched base"]
    gain = made.selection.candidates["a"].gain.f1
    assert less_points["rows"][0][1] == f"{signed(gain.value)} ({signed(gain.lower)})"


def test_a_limit_that_is_not_met_is_in_a_table() -> None:
    """Measured and allowed, side by side."""
    made = exam({"a": 0.9, "b": 0.5}, constraints={"max_trainable_parameters": 8192})
    table = comparisons(made.selection)[-1]
    assert table["titles"] == ["Candidate", "max_trainable_parameters"]
    assert ["b", "8.19\N{NO-BREAK SPACE}k of 8.19\N{NO-BREAK SPACE}k, not met"] in table["rows"]


def test_kinds_have_the_means_of_their_questions() -> None:
    """A group's scores are those of its members, counted by hand."""
    made = exam({"a": 0.5, "b": 0.9}, leaks=True)
    found = kinds(made.questions, made.predictions, "pt", "f1")
    assert [kind["title"] for kind in found] == [
        "Question word",
        "Length of the answer",
        "Length of the context",
        "Position of the answer in the context",
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
        found = kinds(made.questions, made.predictions, language, "f1")
        assert [kind["title"] for kind in found] == [
            "Length of the answer",
            "Length of the context",
            "Position of the answer in the context",
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


def test_texts_of_any_script_stand_in_the_page_as_they_are() -> None:
    """Marks of direction, joiners and accents of either encoding; the answer is marked whole."""
    answer = "\u200fحرف\u200c\u200f e Conceição"
    context = normalize("NFD", f"O texto diz: {answer}\u202c. Fim.")
    made = exam({"a": 0.5})
    one = replace(
        made.questions[0],
        context=context,
        answers=(answer,),
        answer_starts=(context.index("\u200f"),),
    )
    data = questions_data([one, *made.questions[1:]], made.predictions, "pt")
    row = data["questions"][0]
    assert data["contexts"][row["context"]] == context
    assert row["references"] == [answer]
    start, end = row["answer"]
    assert context[start:end] == normalize("NFD", answer)


def test_the_data_table_says_what_was_left_out_or_changed() -> None:
    """Sums of both splits, and where each of the rows is."""
    audit = exam({"a": 0.5}).audit
    split = audit.train.model_copy(
        update={
            "contexts_without_spaces": 3,
            "left_out": audit.train.left_out.model_copy(update={"no_answer": 2}),
            "faults": audit.train.faults.model_copy(update={"duplicate_id": 4}),
            "converted": audit.train.converted.model_copy(update={"id_as_number": 1000}),
        }
    )
    assert data_table(audit.model_copy(update={"train": split}))["text"] == (
        "2 questions of the source were left out, and 1,004 values or rows were converted, "
        "corrected or kept despite a fault: each is a row of data/audit.jsonl. In 3 contexts, "
        "whose script has no spaces, every character counts as a word."
    )


def test_the_data_table_says_what_leaks() -> None:
    """How many validation questions training gives away; nothing where there is none."""
    table = data_table(exam({"a": 0.5}, leaks=True).audit)
    assert table["text"].startswith(
        "Training questions reveal the answers to 10 of 60 validation questions"
    )
    assert table["rows"][0] == ["train", "7", "20", "60", "ab" * 32]
    plain = exam({"a": 0.5}).audit
    assert data_table(plain)["text"] == ""
    drawn = DrawnSplit(asked=0.1, share=0.9, warning="far off")
    changed = plain.model_copy(update={"drawn": drawn, "leaked_between_folds": 3})
    assert data_table(changed)["text"] == (
        "Questions of other folds reveal the answers to 3 of a fold's questions. far off."
    )


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
        "import sys; from pathlib import Path; from tests.support.exam import exam;"
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


def test_too_few_questions_speak_up() -> None:
    """Where two candidates are not told apart: by how much they differ, and what to type."""
    near = exam({"good": 0.6, "poor": 0.55}).selection
    said = too_few(near)
    assert said is not None
    assert said.startswith("60 questions of 7 documents are too few to tell good from poor: their ")
    assert "`dvc exp run -S 'repeats=[fold-1,fold-2," in said
    gap = near.candidates["poor"].against_leader
    assert gap is not None
    assert f"F1 differs by {abs(gap.f1.value):.3f}, and a true difference of " in said
    # in the console's sentences, in the leaderboard's, and on the first screen; the command once
    assert said in notes(near)
    assert sum("dvc exp run" in note for note in notes(near)) == 1
    assert said in summarize(near, COSTS)["notices"]
    assert too_few(exam({"good": 0.95, "poor": 0.1}).selection) is None
    assert too_few(exam({"alone": 0.5}).selection) is None
    folded = near.model_copy(update={"questions": near.questions.model_copy(update={"folds": 5})})
    assert str(too_few(folded)).endswith("; more documents are needed.")
    fine = near.model_copy(update={"smallest_detectable": 0.02})
    assert too_few(fine) is None
