"""Conversion of measurements into reported figures. Nothing here imports torch."""

import statistics
from typing import Any

from bench.arithmetic import utilization
from bench.workers import PEAK


def peak_flops(*tasks: dict[str, dict[str, Any]]) -> float:
    """Return the best FLOP/s of the matrix products, over all tasks and repeats."""
    return max(
        float(task[PEAK]["about"]["hardware_flops"]) / seconds
        for task in tasks
        for seconds in task[PEAK]["seconds"]
    )


def times(way: dict[str, Any], other: dict[str, Any]) -> dict[str, float] | dict[str, str]:
    """Return a way's questions/s as a multiple of those of `other`: the ratio in each repeat."""
    if "not_run" in other:
        return {"not_run": other["not_run"]}
    ratios = [
        theirs / other["about"]["questions"] * way["about"]["questions"] / ours
        for theirs, ours in zip(other["seconds"], way["seconds"], strict=True)
    ]
    return {
        "least": round(min(ratios), 2),
        "median": round(statistics.median(ratios), 2),
        "most": round(max(ratios), 2),
    }


def row(
    way: dict[str, Any], task: dict[str, dict[str, Any]], against: tuple[str, ...], peak: float
) -> dict[str, Any]:
    """Return the reported figures of one way."""
    if "not_run" in way:
        return {"not_run": way["not_run"]}
    about, end = way["about"], way["end"]
    seconds = statistics.median(way["seconds"])
    result = {
        "configuration": about["configuration"],
        "questions": about["questions"],
        "seconds": [round(taken, 3) for taken in way["seconds"]],
        "processor_seconds": [round(taken, 3) for taken in way["processor_seconds"]],
        "questions_per_second": round(about["questions"] / seconds, 3),
        "tokens_per_second": round(about["tokens"] / seconds, 1),
        "times": {name: times(way, task[name]) for name in against},
        "peak_resident_bytes": end["peak_resident_bytes"],
        "resident_bytes_before": end["resident_bytes_before"],
        "peak_device_bytes": end["peak_device_bytes"],
        "model_flops_per_question": round(about["model_flops"] / about["questions"]),
        "model_flops_utilization": round(utilization(about["model_flops"], seconds, peak), 4),
    }
    if about["hardware_flops"]:
        share = utilization(about["hardware_flops"], seconds, peak)
        result["hardware_flops_utilization"] = round(share, 4)
    result.update(end["findings"])
    return result


def rows(
    task: dict[str, dict[str, Any]], against: tuple[str, ...], peak: float
) -> dict[str, dict[str, Any]]:
    """Return the reported figures of all ways of a task."""
    return {name: row(way, task, against, peak) for name, way in task.items() if name != PEAK}


def add_ceiling(way: dict[str, Any], first: dict[str, Any], peak: float) -> None:
    """Add a way's highest possible speed as a multiple of the first way's questions/s.

    It would be reached if the mathematics that the way needs ran as fast as this machine's best
    matrix products, and nothing else took any time.
    """
    allowed = peak / way["model_flops_per_question"]
    way["times_by_matrix_products_alone"] = round(allowed / first["questions_per_second"], 2)


def add_memory_shares(reported: dict[str, dict[str, Any]]) -> None:
    """Add each way's peak memory as a share of the first way's, in total and beyond the start."""
    first = next(iter(reported.values()))
    for way in reported.values():
        if "not_run" in way:
            continue
        shares = {"resident": way["peak_resident_bytes"] / first["peak_resident_bytes"]}
        added = [one["peak_resident_bytes"] - one["resident_bytes_before"] for one in (way, first)]
        shares["resident_beyond_start"] = added[0] / added[1]
        if first["peak_device_bytes"]:
            shares["device"] = way["peak_device_bytes"] / first["peak_device_bytes"]
        way["memory_of_first"] = {name: round(share, 3) for name, share in shares.items()}


def add_equal_answers(reported: dict[str, dict[str, Any]], task: dict[str, dict[str, Any]]) -> None:
    """Add each way's share of answers equal to the first way's, and its number of distinct ones."""
    first = task[next(iter(reported))]["end"]["answers"]
    for name, way in reported.items():
        if "not_run" in way:
            continue
        answers = task[name]["end"]["answers"]
        equal = sum(a == b for a, b in zip(answers, first, strict=True))
        way["equal_answers"] = equal / len(first)
        way["distinct_answers"] = len(set(answers))
