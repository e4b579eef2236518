"""Diagrams as SVG within the page, in the page's own colours."""

import re
from collections.abc import Iterator, Sequence
from html import escape

from extensions.project import depth, edges, first_sentence, layers, stages

FONT = 14
CHARACTER = 8.2
"""Pixels that a character of a name takes, roughly."""
BOX_HEIGHT = 34
PADDING = 14
GAP = 12
ROW = 58
COLUMN_GAP = 56
MARGIN = 34
VARIABLE = re.compile(r"\$\{([^}]+)\}")


def import_layers() -> str:
    """Draw which packages may import which: what stands lower, and nothing beside."""
    lines = layers()
    width = max(sum(_width(name) for name in line) + GAP * (len(line) - 1) for line in lines)
    height = ROW * len(lines)
    parts = [_arrow(MARGIN / 2, 12, MARGIN / 2, height - 20)]
    # upwards along the arrow
    parts.append(
        f'<text transform="translate({MARGIN / 2 - 6:g} {height / 2:g}) rotate(-90)" '
        'text-anchor="middle" fill-opacity="0.7">may import</text>'
    )
    for number, line in enumerate(lines):
        across = sum(_width(name) for name in line) + GAP * (len(line) - 1)
        left = MARGIN + (width - across) / 2
        for name in line:
            parts += _box(left, number * ROW + 2, name, first_sentence(name))
            left += _width(name) + GAP
    label = "Packages of the library, line by line; imports go downwards only"
    return _svg(MARGIN + width + 4, height, parts, label)


def stage_graph() -> str:
    """Draw the stages of dvc.yaml from left to right, with a line to each that reads an output."""
    pairs = edges()
    longest = max(map(depth, stages()))
    columns = [[name for name in stages() if depth(name) == at] for at in range(longest + 1)]
    widths = [max(map(_width, column)) for column in columns]
    lefts = [sum(widths[:number]) + COLUMN_GAP * number + 4 for number in range(len(columns))]
    height = ROW * max(map(len, columns))
    place = {}
    for number, column in enumerate(columns):
        top = (height - ROW * len(column)) / 2 + 10
        for row, name in enumerate(column):
            place[name] = (lefts[number], top + row * ROW)
    parts = []
    for writer, reader in _shortest(pairs):
        x, y = place[writer][0] + _width(writer), place[writer][1] + BOX_HEIGHT / 2
        to_x, to_y = place[reader][0], place[reader][1] + BOX_HEIGHT / 2
        half = (to_x - x) / 2
        parts.append(
            f'<path d="M{x:g} {y:g} C{x + half:g} {y:g} {to_x - half:g} {to_y:g} '
            f'{to_x:g} {to_y:g}" fill="none" stroke="currentColor" stroke-opacity="0.5"/>'
        )
    for name, stage in stages().items():
        parts += _box(*place[name], name, VARIABLE.sub(_in_words, stage["desc"]))
    label = "Stages of dvc.yaml; a line leads to each stage that reads another one's output"
    return _svg(lefts[-1] + widths[-1] + 4, height, parts, label)


def _in_words(variable: re.Match[str]) -> str:
    """Say what a variable in a stage's description stands for."""
    return "a fold or seed" if variable[1] == "item.repeat" else "a candidate"


def _shortest(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out what another path says already: the picture is to be read, not the graph."""
    return [
        (writer, reader)
        for writer, reader in pairs
        if not any(
            (writer, between) in pairs and (between, reader) in pairs
            for between in {one for pair in pairs for one in pair}
        )
    ]


def _width(name: str) -> float:
    return len(name) * CHARACTER + 2 * PADDING


def _box(left: float, top: float, name: str, said: str) -> Iterator[str]:
    middle, baseline = left + _width(name) / 2, top + BOX_HEIGHT / 2 + FONT / 3
    yield f"<g><title>{escape(said)}</title>"
    yield (
        f'<rect x="{left:g}" y="{top:g}" width="{_width(name):g}" height="{BOX_HEIGHT}" rx="6" '
        'fill="currentColor" fill-opacity="0.07" stroke="currentColor" stroke-opacity="0.6"/>'
    )
    yield f'<text x="{middle:g}" y="{baseline:g}" text-anchor="middle">{escape(name)}</text></g>'


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    return (
        f'<path d="M{x:g} {y:g} L{to_x:g} {to_y:g} m-5 -8 l5 8 l5 -8" fill="none" '
        'stroke="currentColor" stroke-opacity="0.6"/>'
    )


def _svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    """Return the drawing; a blank line within would end it for Markdown."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        'style="max-width: 100%; height: auto" '
        f'font-family="ui-monospace, monospace" font-size="{FONT}" fill="currentColor">'
    )
    return "\n".join([head, *parts, "</svg>", ""])
