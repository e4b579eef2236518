"""Choose a candidate and put it into production, or say why none may be.

python -m stages.select
"""

from vestibular import selection
from vestibular.base_models import read_pin
from vestibular.card import model_card
from vestibular.comparison import Examined
from vestibular.errors import exit_on_error
from vestibular.files import read_json, write_json
from vestibular.layout import COSTS, DATA_METRICS, LEADERBOARD, PREPARED, REPORT, SELECTION
from vestibular.params import load_params
from vestibular.questions import read_questions
from vestibular.report import write_report
from vestibular.runs import read_folds
from vestibular.verdict import cost_of, measured, verdict


@exit_on_error
def main() -> None:
    """Write what the choice rests on, for programs and for people, and the model.

    Where nothing may be promoted, that is the stage's result and no failure.
    """
    params = load_params()
    names, folds = list(params.candidates), params.evaluate.folds
    results = selection.read_results(names)
    seeds = selection.read_seeds(names, params)
    questions = read_questions(PREPARED, "validation")
    if folds:
        questions, _ = read_folds()
        for name, rows in selection.read_out_of_fold(names, folds).items():
            results[name]["rows"] = rows
    candidates = {
        name: Examined(
            rows=result["rows"],
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
        rows, scores = results[winner]["rows"], results[winner]["scores"]
        card = model_card(params, found, pins[winner], audit, questions, rows)
        selection.write_production(winner, params, pins[winner], scores, PREPARED, card)
    selection.write_charts(order, results)
    write_json(
        COSTS,
        {
            name: {**results[name]["cost"], "answer": measured(candidates[name].cost)}
            for name in order
        },
    )
    write_json(LEADERBOARD, selection.leaderboard(found, results))
    write_json(SELECTION, found)
    write_report(REPORT, params, found, results, questions, audit, pins)
    print(found["reason"])


if __name__ == "__main__":
    main()
