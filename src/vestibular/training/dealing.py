"""Assignment of an optimizer step's rows to the processes of a training.

A row stays whole: the part that its questions share is encoded once, in one process. Nothing here
imports torch.
"""

from collections.abc import Sequence

from vestibular.modeling.batching import Row, Segment


def deal(rows: Sequence[Row], processes: int) -> list[list[Row]]:
    """Assign rows, the longest first, each to the process with the fewest tokens so far.

    All processes see the same rows in the same order and compute the same assignment. If there are
    fewer rows than processes, long rows are split.

    Args:
        rows: the rows of an optimizer step.
        processes: number of processes.

    Returns:
        the rows of each process; some get none if there are fewer questions than processes.
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
    """Halve the longest rows of several questions until there are `least` rows, if possible."""
    result = list(rows)
    while len(result) < least:
        several = [row for row in result if len(row.segments) > 1]
        if not several:
            break
        longest = max(several, key=lambda row: row.length)
        place, half = result.index(longest), len(longest.segments) // 2
        parts = longest.segments[:half], longest.segments[half:]
        result[place : place + 1] = [_row(longest.prefix, segments) for segments in parts]
    return result


def _row(prefix: tuple[int, ...], segments: tuple[Segment, ...]) -> Row:
    if len(segments) > 1:
        return Row(prefix, segments)
    # a single question needs no segment, as in `batching.rows`
    (segment,) = segments
    return Row((), (Segment(prefix + segment.tokens, len(prefix) + segment.first_label),))


def labels(rows: Sequence[Row]) -> int:
    """Return the number of learned tokens in rows."""
    return sum(
        len(segment.tokens) - segment.first_label for row in rows for segment in row.segments
    )
