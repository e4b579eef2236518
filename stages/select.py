"""Choose a candidate and put it into production, or say why none may be.

python -m stages.select
"""

from vestibular.core.base_models import read_pin
from vestibular.core.cost_files import gather_costs
from vestibular.core.costs import Costs
from vestibular.core.data_metrics import DataMetrics
from vestibular.core.errors import exit_on_error
from vestibular.core.paths import (
    COSTS,
    DATA_METRICS,
    LEADERBOARD,
    REPORT,
    SELECTION,
    WINNER,
)
from vestibular.core.winner_file import WinnerFile
from vestibular.params.project import load_params
from vestibular.report.card import model_card
from vestibular.report.chart_data import write_charts
from vestibular.report.manifest import describe_model
from vestibular.report.report import write_report
from vestibular.selection.answer_costs import cost_of
from vestibular.selection.budgets import unequal_settings
from vestibular.selection.comparison import Examined
from vestibular.selection.leaderboard import leaderboard
from vestibular.selection.leftovers import remove_leftovers
from vestibular.selection.production import write_production, write_refusal
from vestibular.selection.remarks import notes
from vestibular.selection.selecting import select_candidate
from vestibular.selection.stage_results import read_all_questions, read_out_of_fold, read_result


@exit_on_error
def main() -> None:
    """Write what the choice rests on, for programs and for people, and the model.

    Where nothing may be promoted, that is the stage's result and no failure.
    """
    params = load_params()
    names, folds = list(params.candidates), params.folds
    for path in remove_leftovers(names, params.repeats):
        print(f"{path}: removed; the settings no longer name what it is of")
    results = {name: read_result(name, params.seed, params.seeds) for name in names}
    questions = read_all_questions(folds)
    rows = {
        name: read_out_of_fold(name, folds) if folds else results[name].predictions
        for name in names
    }
    costs = gather_costs({name: result.training.run for name, result in results.items()})
    candidates = {
        name: Examined(
            rows=rows[name],
            cost=cost_of(result.details, costs[name].evaluate),
            seeds=result.seeds,
            # with folds other questions are answered, by models of one seed
            further_answers=[] if folds else result.further_answers,
        )
        for name, result in results.items()
    }
    found = select_candidate(
        questions,
        candidates,
        params.select,
        params.evaluate.rules,
        params.seed,
        len(folds),
        unequal_settings({name: params.candidate(name).train.model_dump() for name in names}),
    )
    order, winner = list(found.candidates), found.winner

    audit = DataMetrics.read(DATA_METRICS)
    pins = {name: read_pin(name).pin for name in order}
    if winner is None:
        write_refusal(found.reason)
    else:
        pin = pins[winner]
        model = describe_model(params, winner, pin, results[winner])
        write_production(model, model_card(params, found, pin, audit, questions, rows[winner]))
    write_charts(order, results)
    Costs(candidates={name: costs[name] for name in order}).write(COSTS)
    leaderboard(found, results).write(LEADERBOARD)
    found.write(SELECTION)
    best = found.candidates[winner].scores if winner else None
    WinnerFile(
        winner=winner or "none",
        exact_match=best and round(best.exact_match.value, 4),
        f1=best and round(best.f1.value, 4),
    ).write(WINNER)
    curves = {name: results[name].curve for name in order}
    write_report(REPORT, params, found, costs, curves, questions, rows, audit, pins)
    print(f"{found.reason}.")
    for note in notes(found):
        print(note)


if __name__ == "__main__":
    main()
