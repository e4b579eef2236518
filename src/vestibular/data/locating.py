"""Finds where an answer stands in its context, whatever way either encodes its letters.

An accent may be part of its letter or follow it (Unicode's forms NFC and NFD): the same word, in
other code points. Places are counted in the context as it is written.
"""

import functools

import regex

from vestibular.core.characters import composed

_CLUSTER = regex.compile(r"\X")
"""A letter with its marks: what composition stays within."""


def places(context: str, text: str) -> list[int]:
    """Return the places where the text stands in the context as it is written, in characters."""
    found = []
    place = context.find(text)
    while place >= 0:
        found.append(place)
        place = context.find(text, place + 1)
    return found


def composed_places(context: str, text: str) -> list[int]:
    """Return the places where the text stands in the context once both are composed.

    Places are in characters of the context as it is written.
    """
    whole, starts = _composed_context(context)
    return [starts[place] for place in places(whole, composed(text)) if starts[place] >= 0]


@functools.lru_cache(maxsize=4)
def _composed_context(context: str) -> tuple[str, list[int]]:
    """Return the composed context, and for each of its characters where it is written.

    -1 stands for a character in the middle of what composition changed.
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
