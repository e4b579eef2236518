"""Choose the best candidate and put it into production.

python -m stages.select
"""

from vestibular import selection
from vestibular.base_models import read_pin
from vestibular.errors import exit_on_error
from vestibular.files import write_json
from vestibular.layout import COSTS, LEADERBOARD, PREPARED
from vestibular.params import load_params


@exit_on_error
def main() -> None:
    """Write the leaderboard, the charts' tables, the costs and `models/production`."""
    params = load_params()
    results = selection.read_results(list(params.candidates))
    board = selection.leaderboard(results, params.select.sort_by)
    winner = board["winner"]

    selection.write_production(
        winner, params, read_pin(winner), results[winner]["scores"], PREPARED
    )
    selection.write_charts(list(board["candidates"]), results)
    write_json(COSTS, {name: results[name]["cost"] for name in board["candidates"]})
    write_json(LEADERBOARD, board)


if __name__ == "__main__":
    main()
