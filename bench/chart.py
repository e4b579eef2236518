"""Draw a result: python -m bench.chart bench/results/RESULT.json (writes RESULT.png)."""

import argparse
import json
from pathlib import Path
from typing import Any

GIBIBYTE = 1 << 30

COLOURS = {
    "published": "#bab0ac",
    "one_at_a_time": "#bab0ac",
    "trl": "#f58518",
    "lm_eval": "#f58518",
    "padded": "#72b7b2",
    "shared_context": "#4c78a8",
}
"""A way's colour in all charts: grey for the slowest, orange for other libraries, blue for ours."""

_COMMON_AXES = {
    "model": "model's shape",
    "context_tokens": "tokens of the context",
    "questions_per_context": "questions per context",
}
AXES = {
    "training": _COMMON_AXES,
    "answering": {**_COMMON_AXES, "answer_tokens": "tokens of the answer"},
}
"""Variables of the growth measurements, with their titles in the charts."""


def colour(legend: list[str]) -> dict[str, Any]:
    """Return the encoding of ways as colours; `legend` lists the ways that it shows."""
    return {
        "field": "way",
        "type": "nominal",
        "sort": None,
        "title": None,
        "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())},
        "legend": {"values": legend} if legend else None,
    }


def bars(
    rows: list[dict[str, Any]], field: str, title: str, number: str = ".3~g"
) -> dict[str, Any]:
    """Return a bar for each way, with its figure at its end."""
    y = {"field": "way", "type": "nominal", "sort": None, "title": None}
    axis = {"format": number, "tickCount": 5}
    x = {"field": field, "type": "quantitative", "title": title, "axis": axis}
    return {
        "width": 260,
        "data": {"values": rows},
        "encoding": {"y": y, "x": x},
        "layer": [
            {"mark": "bar", "encoding": {"color": colour([])}},
            {
                "mark": {"type": "text", "align": "left", "dx": 4},
                "encoding": {"text": {"field": field, "type": "quantitative", "format": number}},
            },
        ],
    }


def table(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each way that was run, with memory in GiB."""
    return [
        {
            "way": name,
            "questions_per_second": way["questions_per_second"],
            "memory": (way["peak_device_bytes"] or way["peak_resident_bytes"]) / GIBIBYTE,
            "utilization": way["model_flops_utilization"],
        }
        for name, way in task.items()
        if "not_run" not in way
    ]


def lines(rows: list[dict[str, Any]], axis: str, title: str) -> dict[str, Any]:
    """Return a chart of seconds per question along an axis of growth, with a line for each way."""
    kind = "ordinal" if axis == "model" else "quantitative"
    measured = [row for row in rows if row["axis"] == axis]
    return {
        "width": 220,
        "height": 160,
        "data": {"values": measured},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "value", "type": kind, "sort": None, "title": title},
            "y": {
                "field": "seconds_per_question",
                "type": "quantitative",
                "title": "seconds per question (log)"
                if axis == "model"
                else "seconds per question",
                "scale": {"type": "log"} if axis == "model" else {"zero": True},
            },
            "color": colour(list(dict.fromkeys(row["way"] for row in rows))),
        },
    }


def specification(result: dict[str, Any]) -> dict[str, Any]:
    """Return the whole chart, in Vega-Lite."""
    memory = "peak memory, GiB"
    parts = []
    for task in (task for task in AXES if task in result):
        rows = table(result[task])
        parts.append(
            {
                "title": {"text": task, "anchor": "start"},
                "hconcat": [
                    bars(rows, "questions_per_second", "questions per second"),
                    bars(rows, "memory", memory),
                    bars(rows, "utilization", "model FLOPs utilization", ".3~p"),
                ],
            }
        )
    machine, settings = result["machine"], result["settings"]
    for task, axes in AXES.items():
        grown = [row for row in result["growth"] if row["task"] == task]
        if grown:
            charts = [lines(grown, axis, title) for axis, title in axes.items()]
            title = {"text": f"cost of {task}", "anchor": "start"}
            parts.append({"title": title, "hconcat": charts})
    where = machine["processor"] if machine["device"] == "CPU" else machine["device"]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": {
            "text": f"shape {settings['shape']}, {settings['precision']}, "
            f"quantization {settings['quantization']}",
            "subtitle": f"{where}, {machine['threads']} threads, torch {machine['torch']}, "
            f"median of {settings['repeats']} repeats in turn",
            "anchor": "start",
        },
        "background": "white",
        "vconcat": parts,
        # bars have labels, so that only the line charts need a legend
        "resolve": {"scale": {"color": "independent"}, "legend": {"color": "independent"}},
    }


def draw(result: dict[str, Any], path: Path) -> None:
    """Write the chart as a PNG file.

    Raises:
        ModuleNotFoundError: vl-convert-python is not installed.
    """
    import vl_convert

    path.write_bytes(vl_convert.vegalite_to_png(specification(result), scale=1.25))


def main() -> None:
    """Draw the result that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    path = parser.parse_args().result
    draw(json.loads(path.read_text(encoding="utf-8")), path.with_suffix(".png"))


if __name__ == "__main__":
    main()
