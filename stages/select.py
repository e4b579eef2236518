"""Choose a candidate and put it into production, or say why none may be.

python -m stages.select
"""

from vestibular.core.base_models import read_pin
from vestibular.core.errors import exit_on_error
from vestibular.core.files import read_json, write_json
from vestibular.core.layout import COSTS, DATA_METRICS, LEADERBOARD, PREPARED, REPORT, SELECTION
from vestibular.core.params import load_params
from vestibular.core.questions import read_questions
from vestibular.core.runs import read_folds
from vestibular.report.card import model_card
from vestibular.report.report import write_report
from vestibular.selection import selection
from vestibular.selection.comparison import Examined
from vestibular.selection.verdict import cost_of, measured, verdict


@exit_on_error
def main() -> None:
    """Write what the choice rests on, for programs and for people, and the model.

    Where nothing may be promoted, that is the stage's result and no failure.
    """
    params = load_params()
    names, folds = list(params.candidates), params.evaluate.folds
    results = selection.read_results(names)
    seeds = selection.read_seeds(names, params)
    if folds:
        questions, _ = read_folds()
        rows = selection.read_out_of_fold(names, folds)
    else:
        questions = read_questions(PREPARED, "validation")
        rows = {name: result["rows"] for name, result in results.items()}
    candidates = {
        name: Examined(
            rows=rows[name],
            cost=cost_of(result["scores"]["parameters"], result["cost"]["evaluate"]),
            seeds=seeds[name],
        )
        for name, result in results.items()
    }
    articles = params.evaluate.articles
    found = verdict(questions, candidates, params.select, articles, params.seed, len(folds))
    order, winner = list(found["candidates"]), found["winner"]

    audit = read_json(DATA_METRICS)
    pins = {name: read_pin(name) for name in order}
    if winner is None:
        selection.write_refusal(found["reason"])
    else:
        card = model_card(params, found, pins[winner], audit, questions, rows[winner])
        scores = results[winner]["scores"]
        selection.write_production(winner, params, pins[winner], scores, PREPARED, card)
    selection.write_charts(order, results)
    costs = {
        name: {**results[name]["cost"], "answer": measured(candidates[name].cost)} for name in order
    }
    write_json(COSTS, costs)
    write_json(LEADERBOARD, selection.leaderboard(found, results))
    write_json(SELECTION, found)
    curves = {name: results[name]["curve"] for name in order}
    write_report(REPORT, params, found, costs, curves, questions, rows, audit, pins)
    print(found["reason"])


if __name__ == "__main__":
    main()
