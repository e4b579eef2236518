"""Find the correct ways for each causal architecture of transformers, as a table for the docs.

    python -m bench.architectures            check those without a result, and write the table
    python -m bench.architectures NAME ...   check these again, and write the table

The check is the pipeline's own (`vestibular/modeling/proving.py`). It runs on the default
configuration of each model type in transformers' list of causal language models, with a few values
of published models, and each in a process of its own. All of them take several hours of one core. A
result is stored immediately, and is valid as long as the versions of the packages and the code of
the check stay the same.
"""

import argparse
import hashlib
import json
import multiprocessing
import time
from collections import Counter
from dataclasses import asdict
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from vestibular.core.errors import first_line
from vestibular.modeling.capability import PACKAGES


def _hybrid(usual: str, number: int, attention: tuple[int, ...]) -> list[str]:
    return ["full_attention" if place in attention else usual for place in range(number)]


RESULTS = Path("bench/results/architectures.json")
TABLE = Path("docs/architectures.md")
SECONDS = 600
"""Time limit of a check."""
CODE = Path("src/vestibular/modeling")
CHECK = (
    *("answers", "attention", "batching", "configuration", "generation", "miniature", "proving"),
    *("equivalence", "sharing", "targets", "tensors"),
)
"""Modules in that folder that decide the check's result."""
PUBLISHED: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [9, 18, 27]},
    "deepseek_v2": {"num_experts_per_tok": 6},
    "dots1": {"n_routed_experts": 128, "num_experts_per_tok": 6, "n_shared_experts": 2},
    "granitemoehybrid": {"layer_types": _hybrid("linear_attention", 40, (5, 15, 25, 35))},
    "hunyuan_v1_dense": {"head_dim": 128},
    "lfm2": {"layer_types": _hybrid("conv", 16, (2, 5, 8, 10, 12, 14))},
    "lfm2_moe": {"layer_types": _hybrid("conv", 24, (2, 6, 10, 14, 18, 21))},
    "nemotron": {"num_key_value_heads": 8},
}
"""Values of published models for default configurations that lack them, or that lack kinds of
layers that the architecture is made for."""
NOT_BUILT = "cannot be built"
"""Start of the check's reason if no model can be built from the default configuration."""
REASON = 160
"""Largest number of characters of a reason in the table."""


def main() -> None:
    """Check the named architectures, or all without a result; write the table of all results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", help="types of models, as transformers calls them")
    arguments = parser.parse_args()
    every = causal_types()
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    now = made_by()
    # architectures without any result come first
    for name in arguments.names or sorted(every, key=lambda name: name in found):
        if arguments.names or found.get(name, {}).get("made_by") != now:
            found[name] = {**checked_apart(name), "made_by": now}
            print(f"{name}: {found[name]}", flush=True)
        ordered = {each: found[each] for each in every if each in found}
        RESULTS.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
        TABLE.write_text(as_markdown(ordered, len(every)), encoding="utf-8")


def made_by() -> dict[str, str]:
    """Return what a result depends on besides the architecture: packages and the check's code."""
    code = hashlib.sha256(b"".join((CODE / f"{name}.py").read_bytes() for name in CHECK))
    return {**{name: version(name) for name in PACKAGES}, "check": code.hexdigest()[:16]}


def causal_types() -> list[str]:
    """Return the model types that transformers lists as causal language models."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return list(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def checked_apart(name: str) -> dict[str, Any]:
    """Check one architecture in a process of its own, since it may use up the memory or hang."""
    apart = multiprocessing.get_context("forkserver")
    # imported once, in the process from which the others are forked
    apart.set_forkserver_preload(["vestibular.modeling.proving"])
    receiver, sender = apart.Pipe(duplex=False)
    process = apart.Process(target=send_check, args=(name, sender))
    started = time.monotonic()
    process.start()
    # close this end, so that the pipe closes when the process ends
    sender.close()
    try:
        if receiver.poll(SECONDS):
            result: dict[str, Any] = receiver.recv()
        else:
            result = {"refused": f"the check took more than {SECONDS} s"}
    except EOFError:
        process.join()
        result = {"refused": f"the check failed: its process ended with {process.exitcode}"}
    process.kill()
    process.join()
    return {**result, "seconds": round(time.monotonic() - started)}


def send_check(name: str, sender: Connection) -> None:
    """Check one architecture and send the result or the error to the waiting process."""
    try:
        result = check(name)
    except Exception as error:  # of any type, since the table shows it
        result = {"refused": f"the check failed: {type(error).__name__}: {first_line(error)}"}
    sender.send(result)


def check(name: str) -> dict[str, Any]:
    """Check one architecture by its default configuration."""
    from vestibular.core.logs import silence_libraries

    silence_libraries()
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING

    from vestibular.modeling.miniature import CANNOT_BE_BUILT
    from vestibular.modeling.proving import try_out

    try:
        values = dict(PUBLISHED.get(name, {}))
        if "layer_types" in values:
            values["num_hidden_layers"] = len(values["layer_types"])
        config = CONFIG_MAPPING[name](**values)
    except (*CANNOT_BE_BUILT, StrictDataclassError) as error:
        return {"refused": f"{NOT_BUILT} from its default configuration ({first_line(error)})"}
    return asdict(try_out(config))


def kind(row: dict[str, Any]) -> str:
    """Return an architecture's group: its way in the exam, or why it has none."""
    if not row["refused"]:
        return str(row["exam"])
    if row["refused"].startswith("the check"):
        return "not checked"
    return "not buildable" if row["refused"].startswith(NOT_BUILT) else "refused"


def as_markdown(found: dict[str, dict[str, Any]], types: int) -> str:
    """Return the page of the docs, given the number of all types."""
    counts = Counter(kind(row) for row in found.values())
    trained = Counter(row["training"] for row in found.values() if not row["refused"])
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    earlier = sum(row["made_by"] != made_by() for row in found.values())
    lines = [
        "# Architectures",
        "",
        "<!-- written by `python -m bench.architectures`; do not edit -->",
        "",
        "The pipeline does not rely on an architecture's name. Before a model is used, a small "
        "model of the same configuration is trained and asked in the fastest way, and its results "
        "are compared with one question at a time (`src/vestibular/modeling/proving.py`). "
        "`vestibular plan` prints the result for each candidate. This page has the results for "
        f"the default configurations (of {', '.join(PUBLISHED)} with values of published models) "
        f"of {len(found)} of the {types} types of causal language models in transformers "
        f"({packages}); {earlier or 'none'} of these results come from earlier code or packages.",
        "",
        "In the exam, a context's questions go through the model together (`shared`: the context "
        "once, with masks by kind of layer and by position), in one batch with their whole "
        "prompts (`padded`), or one at a time (`single`). In training, a row holds a context's "
        "questions (`shared`), one question (`padded`), or one question that is alone in its "
        "batch (`single`). The answers and the training result are the same in each way.",
        "",
        "| | shared | padded | single | refused | not buildable | not checked |",
        "|---|---|---|---|---|---|---|",
        f"| exam | {counts['shared']} | {counts['padded']} | {counts['single']} | "
        f"{counts['refused']} | {counts['not buildable']} | {counts['not checked']} |",
        f"| training | {trained['shared']} | {trained['padded']} | {trained['single']} | | | |",
        "",
        "Refused: encoders, whose tokens see later tokens, encoder-decoders, and models that need "
        "more than text. Not buildable: the default configuration lacks something, or a package "
        "is not installed; a real model's own configuration may work. Not checked: the check took "
        f"more than {SECONDS} s on two busy cores, or failed.",
        "",
        "| architecture | training | exam | adapter (`auto`) | reason |",
        "|---|---|---|---|---|",
    ]
    for name, row in found.items():
        reason = row["refused"] or row["reason"]
        short = reason if len(reason) <= REASON else f"{reason[:REASON]}..."
        if row["refused"]:
            cells = [name, kind(row), kind(row), ""]
        else:
            targets = row["targets"]
            where = f"`{targets}`" if isinstance(targets, str) else ", ".join(targets)
            where = where.replace("|", "\\|")
            cells = [name, row["training"], row["exam"], where]
        lines.append("| " + " | ".join([*cells, short.replace("|", "\\|")]) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
