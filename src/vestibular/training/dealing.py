"""How an optimizer step's rows are dealt out to the processes that train together.

A row is whole: what its questions share is encoded once, in one process. Nothing here imports
torch.
"""

from collections.abc import Sequence

from vestibular.modeling.batching import Branch, Row


def deal(rows: Sequence[Row], processes: int) -> list[list[Row]]:
    """Deal rows out, the longest first, each to the process with the fewest tokens so far.

    The rows of a step and their order are the same in every process, and so is what each takes.
    Where there are fewer rows than processes, long ones are split.

    Args:
        rows: those of an optimizer step.
        processes: how many there are.

    Returns:
        the rows of each process; none for some where there are fewer questions than processes.
    """
    if processes == 1:
        return [list(rows)]
    shares: list[list[Row]] = [[] for _ in range(processes)]
    tokens = [0] * processes
    for row in sorted(_split(rows, processes), key=lambda row: row.length, reverse=True):
        least = tokens.index(min(tokens))
        shares[least].append(row)
        tokens[least] += row.length
    return shares


def _split(rows: Sequence[Row], least: int) -> list[Row]:
    """Halve the longest rows of several questions until there are `least` rows, if there can be."""
    result = list(rows)
    while len(result) < least:
        several = [row for row in result if len(row.branches) > 1]
        if not several:
            break
        longest = max(several, key=lambda row: row.length)
        place, half = result.index(longest), len(longest.branches) // 2
        parts = longest.branches[:half], longest.branches[half:]
        result[place : place + 1] = [_row(longest.trunk, branches) for branches in parts]
    return result


def _row(trunk: tuple[int, ...], branches: tuple[Branch, ...]) -> Row:
    if len(branches) > 1:
        return Row(trunk, branches)
    # alone, everything is trunk and branch at once, as in `batching.rows`
    (branch,) = branches
    return Row((), (Branch(trunk + branch.tokens, len(trunk) + branch.first_label),))


def labels(rows: Sequence[Row]) -> int:
    """Return how many tokens are learned in rows."""
    return sum(len(branch.tokens) - branch.first_label for row in rows for branch in row.branches)
