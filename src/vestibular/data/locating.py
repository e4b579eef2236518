"""Position of an answer in its context, whichever way either encodes its letters.

An accent may be part of its letter or follow it (Unicode's forms NFC and NFD): the same word, in
different code points. Positions refer to the context as it is written.
"""

import functools

import regex

from vestibular.core.characters import composed

_CLUSTER = regex.compile(r"\X")
"""A letter with its marks: composition never crosses its border."""


def places(context: str, text: str) -> list[int]:
    """Return the positions of the text in the context as it is written, in characters."""
    found = []
    place = context.find(text)
    while place >= 0:
        found.append(place)
        place = context.find(text, place + 1)
    return found


def composed_places(context: str, text: str) -> list[int]:
    """Return the positions of the text in the context after both are composed.

    Positions are in characters of the context as it is written.
    """
    whole, starts = _composed_context(context)
    return [starts[place] for place in places(whole, composed(text)) if starts[place] >= 0]


@functools.lru_cache(maxsize=4)
def _composed_context(context: str) -> tuple[str, list[int]]:
    """Return the composed context, and the original position of each of its characters.

    -1 marks a character in the middle of a composed sequence.
    """
    if context.isascii():
        return context, list(range(len(context)))
    parts: list[str] = []
    starts: list[int] = []
    for match in _CLUSTER.finditer(context):
        cluster, at = match[0], match.start()
        part = composed(cluster)
        parts.append(part)
        if part == cluster:
            starts.extend(range(at, at + len(cluster)))
        else:
            starts.extend([at] + [-1] * (len(part) - 1))
    return "".join(parts), starts
