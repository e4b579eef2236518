"""Forecasts as text for a terminal."""

from tabulate import tabulate

from vestibular.commands.forecast import Forecast
from vestibular.modeling.answers import Way
from vestibular.modeling.memory_estimates import USABLE_MEMORY
from vestibular.report.formatting import size

HOW: dict[Way, str] = {
    "shared": "the questions of a context together",
    "padded": "several questions at a time, each with its own copy of the context",
    "single": "one question at a time",
}
"""Ways of asking, in words."""


def as_text(found: dict[str, Forecast], free: int, repeats: int) -> str:
    """Format the forecasts for a terminal.

    Args:
        found: the candidates' forecasts.
        free: free memory in bytes.
        repeats: number of folds and seeds with which each candidate is trained again.
    """
    table = [["candidate", "parameters", "trained", "weights", "train", "exam", "time", "fits"]]
    for name, each in found.items():
        table.append(
            [
                name,
                f"{each.parameters:,}",
                f"{each.trained_share:.2%}",
                size(each.weights),
                size(each.training_peak),
                size(each.answering_peak),
                _rough_duration(each.training_seconds),
                "yes" if each.fits else "NO",
            ]
        )
    aligned = ["left", *["right"] * (len(table[0]) - 1)]
    lines = [tabulate(table, tablefmt="plain", colalign=aligned, disable_numparse=True)]
    lines.append(
        "\nparameters: including the adapter's. train and exam: peak memory of each, program "
        "included, accurate to about a tenth. time: rough time of one training's steps; "
        "start-up, validations and the exam are additional. fits: neither takes, apart from the "
        f"program, more than {USABLE_MEMORY:.0%} of the {size(free)} that are free now."
    )
    if repeats:
        lines.append(f"repeats: each candidate is trained and examined {repeats} times more")
    for name, each in found.items():
        resolved = each.settings
        lines.append(
            f"{name}: max_tokens_per_batch {resolved.max_tokens_per_batch}, gradient_checkpointing "
            f"{str(resolved.gradient_checkpointing).lower()}"
            + (f", each of {resolved.processes} processes" if resolved.processes > 1 else "")
            + ("" if each.counted else "; no data or tokenizer here: full length assumed")
        )
        lines.append(f"{name}: {_ways(each)}")
        lines += [f"{name}: {warning}" for warning in each.warnings]
        if not each.fits:
            lines.append(f"{name} would fit with {each.remedy}")
    return "\n".join(lines)


def _ways(each: Forecast) -> str:
    """Say how a candidate is trained and asked, and why not in a faster way."""
    found, modules = each.ways, each.settings.lora.target_modules
    if isinstance(modules, tuple):
        modules = ", ".join(modules)
    together = each.settings.batching == "shared_context"
    training = found.training if together or found.training == "single" else "padded"
    if training == found.exam:
        said = f"learns and answers {HOW[training]}"
    else:
        said = f"learns {HOW[training]}, answers {HOW[found.exam]}"
    why = f" ({found.reason})" if found.reason else ""
    adapter = f"; adapter on {modules}" if each.settings.method == "lora" else ""
    return f"{said}{why}{adapter}"


def _rough_duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
