"""Forecasts as text for a terminal."""

from vestibular.commands.forecast import Forecast
from vestibular.modeling.answers import Way
from vestibular.modeling.memory_estimates import USABLE_MEMORY

HOW: dict[Way, str] = {
    "shared": "the questions of a context together",
    "padded": "several questions at a time, each with its own copy of the context",
    "single": "one question at a time",
}
"""How questions go through a model, in words."""


def as_text(found: dict[str, Forecast], free: int, repeats: int) -> str:
    """Lay the forecasts out for a terminal.

    Args:
        found: the candidates' forecasts.
        free: bytes of memory.
        repeats: folds and seeds that each candidate is trained with once more.
    """
    table = [["candidate", "parameters", "trained", "weights", "train", "exam", "time", "fits"]]
    for name, each in found.items():
        table.append(
            [
                name,
                f"{each.parameters:,}",
                f"{each.trained_share:.2%}",
                _bytes(each.weights),
                _bytes(each.training_peak),
                _bytes(each.answering_peak),
                _duration(each.training_seconds),
                "yes" if each.fits else "NO",
            ]
        )
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    lines.append(
        "\nparameters: with the adapter's. train and exam: the most memory that each takes at a "
        "time, the program itself included, within a tenth or so. time: one training's steps, "
        "roughly; its start, its validations and the exam come on top. fits: neither takes, beside "
        f"the program, more than {USABLE_MEMORY:.0%} of the {_bytes(free)} that are free now."
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
    """Say how a candidate is taught and asked, and why not in a faster way."""
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


def _bytes(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
