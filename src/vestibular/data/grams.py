"""Texts as sets of word n-grams, and a search for pairs that share many of them.

A gram is a number, the same for equal runs of words: nothing is hashed, so that a share is exact.
Two texts that share a large part of their grams share at least one of the rarest of each: if `m` of
`n` grams are common, one of the `n - m + 1` rarest is common. Only texts that share such a gram are
compared. Very frequent grams are capped, so that texts made from one template do not make the work
grow quadratically.

Source of the bound: Chaudhuri, Ganti, Kaushik, "A Primitive Operator for Similarity Joins in Data
Cleaning", 2006 (prefix filtering).
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from vestibular.core.characters import words

MOST_HOLDERS = 500
"""Maximum number of texts that a gram proposes: the first ones."""
MOST_COMPARED = 2000
"""Maximum number of texts that one is compared with: those that share most of its rare grams."""
COMPARED_AT_ONCE = 128
MANY = 1024
FEW = 16
"""Number of texts compared first if there are many, since they may suffice."""

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Enough = Callable[[Numbers, Numbers, Numbers], Flags]
"""Decides for pairs whether they share enough, given common grams, our grams and theirs."""


@dataclass(frozen=True)
class Grams:
    """The distinct grams of each text, the rarest first."""

    bounds: Numbers
    """Start of each text's grams in `grams`, and the end of the last text's."""
    grams: Numbers
    """Gram numbers; a lower number is in fewer texts."""
    kinds: int
    """Number of distinct grams."""

    @functools.cached_property
    def sizes(self) -> Numbers:
        """Number of distinct grams of each text."""
        return np.diff(self.bounds)

    @classmethod
    def of_texts(cls, texts: Sequence[str], size: int) -> "Grams":
        """Return the runs of `size` words in the texts; for a shorter text, the text itself."""
        numbers: dict[str, int] = {}
        found: list[npt.NDArray[np.int32]] = []
        lengths = np.zeros(len(texts), dtype=np.int64)
        for place, text in enumerate(texts):
            ours = [numbers.setdefault(word, len(numbers) + 1) for word in words(text)]
            lengths[place] = len(ours)
            ours += [0] * (size - len(ours)) if ours else []  # 0 is not a word
            found.append(np.array(ours, dtype=np.int32))
        padded = np.where(lengths > 0, np.maximum(lengths, size), 0)
        whole = np.concatenate([*found, np.zeros(size, dtype=np.int32)]).astype(np.int64)
        del found, numbers
        runs = _runs(whole, size)
        counts = np.where(lengths > 0, np.maximum(lengths - size + 1, 1), 0)
        firsts = np.cumsum(padded) - padded
        owners = np.repeat(np.arange(len(texts)), counts)
        return cls.of_pairs(owners, runs[_spread(firsts, counts)], len(texts))

    @classmethod
    def of_pairs(cls, owners: Numbers, values: Numbers, count: int) -> "Grams":
        """Return the grams of `count` texts; `owners` is the text of each of `values`."""
        _, inverse, frequencies = np.unique(values, return_inverse=True, return_counts=True)
        rank = np.empty(len(frequencies), dtype=np.int64)
        rank[np.argsort(frequencies, kind="stable")] = np.arange(len(frequencies))
        kinds = max(1, len(frequencies))
        pairs = np.unique(owners * kinds + rank[inverse])
        bounds = np.concatenate(([0], np.cumsum(np.bincount(pairs // kinds, minlength=count))))
        return cls(bounds, pairs % kinds, kinds)

    def rarest(self, texts: Numbers, share: float) -> tuple[Numbers, Numbers]:
        """Return so many of each text's rarest grams that any text sharing `share` has one.

        Returns:
            the grams of all texts, one text after the other, and their number per text.
        """
        sizes = self.sizes[texts]
        # tolerance for products that are whole numbers up to rounding
        needed = np.maximum(1, np.ceil(share * sizes - 1e-9)).astype(np.int64)
        counts = np.where(sizes > 0, sizes - needed + 1, 0)
        return self.grams[_spread(self.bounds[texts], counts)], counts

    def common(self, text: int, others: Numbers, scratch: Flags) -> Numbers:
        """Return the number of grams that a text has in common with each of `others`.

        Args:
            text: one text.
            others: other texts.
            scratch: False for every gram, and reset to that afterwards.
        """
        ours = self.grams[self.bounds[text] : self.bounds[text + 1]]
        scratch[ours] = True
        counts = self.sizes[others]
        held = scratch[self.grams[_spread(self.bounds[others], counts)]]
        scratch[ours] = False
        ends = np.concatenate(([0], np.cumsum(held)))
        stops = np.cumsum(counts)
        return np.asarray(ends[stops] - ends[stops - counts])


class Holders:
    """Index from grams to texts."""

    def __init__(self, texts: Numbers, grams: Numbers, counts: Numbers, kinds: int) -> None:
        """Build the index from some grams of each text; `counts` is their number per text."""
        order = np.argsort(grams, kind="stable")
        self.texts = np.repeat(texts, counts)[order]
        lengths = np.bincount(grams, minlength=kinds)
        self.firsts = np.cumsum(lengths) - lengths
        self.lengths = np.minimum(lengths, MOST_HOLDERS)
        self.capped = lengths > MOST_HOLDERS

    def proposed(self, grams: Numbers) -> Numbers:
        """Return the texts with any of the grams, each repeated once per common gram."""
        return self.texts[_spread(self.firsts[grams], self.lengths[grams])]


def sharers(
    grams: Grams,
    ours: Numbers,
    theirs: Numbers,
    share: float,
    enough: Enough,
    title: str,
    both: bool = True,
) -> tuple[Flags, Flags]:
    """Find which of our texts share enough with any of theirs, and vice versa.

    A pair that shares enough must share at least `share` of our text's grams. No such pair is
    missed unless more than `MOST_HOLDERS` texts have each of its rare grams, or more than
    `MOST_COMPARED` have some of them: then only the first ones are compared.

    Args:
        grams: grams of all texts.
        ours: positions of our texts.
        theirs: positions of theirs.
        share: minimum share of our text's grams, in (0, 1].
        enough: decides for pairs whether they share enough.
        title: title of the progress bar.
        both: whether theirs have to be identified too.

    Returns:
        masks over all texts: those of ours and those of theirs in such a pair; all of theirs if
            these do not have to be identified.
    """
    count = len(grams.bounds) - 1
    found_ours, found_theirs = np.zeros(count, np.bool_), np.full(count, not both)
    rare, rare_counts = grams.rarest(ours, share)
    every = grams.sizes[theirs]
    all_of_theirs = grams.grams[_spread(grams.bounds[theirs], every)]
    holders = Holders(theirs, all_of_theirs, every, grams.kinds)
    scratch = np.zeros(grams.kinds, np.bool_)
    ends = np.cumsum(rare_counts)
    for place in _bar(range(len(ours)), title):
        text = int(ours[place])
        proposed = holders.proposed(rare[ends[place] - rare_counts[place] : ends[place]])
        _compare(grams, text, proposed, enough, found_ours, found_theirs, scratch)
    if not holders.capped.any():
        return found_ours, found_theirs
    # texts with capped grams are searched from the other side
    unsure = _any_of(holders.capped[rare], rare_counts) & ~found_ours[ours]
    capped = _any_of(holders.capped[all_of_theirs], every)
    left = theirs[capped & (unsure.any() | ~found_theirs[theirs])]
    ours_by_gram = Holders(ours, rare, rare_counts, grams.kinds)

    def enough_for_us(shared: Numbers, sizes: Numbers, others: Numbers) -> Flags:
        return enough(shared, others, sizes)

    for text in _bar(left.tolist(), title):
        own = grams.grams[grams.bounds[text] : grams.bounds[text + 1]]
        proposed = ours_by_gram.proposed(own)
        _compare(grams, text, proposed, enough_for_us, found_theirs, found_ours, scratch)
    return found_ours, found_theirs


def _compare(
    grams: Grams,
    text: int,
    proposed: Numbers,
    enough: Enough,
    found_here: Flags,
    found_there: Flags,
    scratch: Flags,
) -> None:
    """Mark a text and those that it shares enough with; skip pairs that change nothing."""

    def compare(some: Numbers) -> None:
        shared = grams.common(text, some, scratch)
        fits = enough(shared, np.full(len(some), grams.sizes[text]), grams.sizes[some])
        found_there[some[fits]] = True
        found_here[text] |= bool(fits.any())

    if not found_here[text] and len(proposed) > MANY:
        # for texts of one template a few comparisons suffice; the most frequent gram is last
        compare(np.unique(proposed[-FEW:]))
    if found_here[text]:
        proposed = proposed[~found_there[proposed]]
    ranked = _most_first(proposed)[:MOST_COMPARED]
    for start in range(0, len(ranked), COMPARED_AT_ONCE):
        some = ranked[start : start + COMPARED_AT_ONCE]
        if found_here[text]:
            some = some[~found_there[some]]
        if len(some):
            compare(some)


def _most_first(texts: Numbers) -> Numbers:
    """Return each of the texts once, the most frequent ones first."""
    if not len(texts):
        return texts
    names, counts = np.unique(texts, return_counts=True)
    return names[np.argsort(-counts, kind="stable")]


def groups(grams: Grams, share: float, title: str) -> list[tuple[int, int]]:
    """Return pairs that connect all texts of which one has `share` of the smaller one's grams.

    Texts are in one group if they share enough, directly or through others; a group of n texts has
    n - 1 pairs. Frequent grams are capped as in `sharers`.
    """
    count = len(grams.bounds) - 1
    texts = np.arange(count)
    rare, rare_counts = grams.rarest(texts, share)
    holders = Holders(texts, grams.grams, grams.sizes, grams.kinds)
    scratch = np.zeros(grams.kinds, np.bool_)
    sizes = grams.sizes
    group = np.arange(count)
    members = [[place] for place in range(count)]
    pairs = []
    ends = np.cumsum(rare_counts)
    for text in _bar(range(count), title):
        proposed = holders.proposed(rare[ends[text] - rare_counts[text] : ends[text]])
        ranked = _most_first(proposed[group[proposed] != group[text]])[:MOST_COMPARED]
        for start in range(0, len(ranked), COMPARED_AT_ONCE):
            some = ranked[start : start + COMPARED_AT_ONCE]
            some = some[group[some] != group[text]]
            if not len(some):
                continue
            shared = grams.common(text, some, scratch)
            for other in some[shared >= share * np.minimum(sizes[text], sizes[some])].tolist():
                one, two = int(group[text]), int(group[other])
                if one == two:
                    continue
                pairs.append((text, other))
                if len(members[one]) < len(members[two]):
                    one, two = two, one
                group[members[two]] = one
                members[one] += members[two]
                members[two] = []
    return pairs


def _runs(whole: Numbers, size: int) -> Numbers:
    """Return for each position the number of the run of `size` words that begins there.

    Equal runs have equal numbers. Runs are doubled: two runs of four words make one of eight.
    """
    runs, length = whole, 1
    while length < size:
        step = min(length, size - length)
        tail = runs if step == length else _runs(whole, step)
        joined = runs[: len(runs) - step] * (int(tail.max()) + 1)
        joined += tail[length : length + len(joined)]
        runs = np.unique(joined, return_inverse=True)[1]
        length += step
    return runs


def _spread(firsts: Numbers, counts: Numbers) -> Numbers:
    """Return the positions in runs of items: `counts` positions from each of `firsts`."""
    total = int(counts.sum())
    if not total:
        return np.zeros(0, dtype=np.int64)
    ends = np.cumsum(counts)
    return np.asarray(np.arange(total) + np.repeat(firsts - (ends - counts), counts))


def _any_of(flags: Flags, counts: Numbers) -> Flags:
    """Return for consecutive runs of flags, `counts` long, whether any flag of the run is set."""
    sums = np.concatenate(([0], np.cumsum(flags)))
    ends = np.cumsum(counts)
    return np.asarray(sums[ends] > sums[ends - counts])


def _bar(items: Sequence[int] | range, title: str) -> "tqdm[int]":
    return tqdm(items, desc=title, unit=" texts", disable=None, leave=False, mininterval=1)
