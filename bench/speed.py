"""Measure speed, memory and utilization of all ways of training and answering.

python -m bench.speed --data data/faquad --tokenizer DIR
python -m bench.speed --data data/faquad --tokenizer DIR --shape gpt2-large --quantization 8bit
"""

import argparse
import json
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import chart
from bench.machine import load, machine
from bench.settings import MAX_TOKENS, MAX_TOKENS_ELSEWHERE, Settings
from bench.shapes import SHAPES
from bench.summary import add_ceiling, add_equal_answers, add_memory_shares, peak_flops, rows
from bench.workers import WayError, apart, measure

AGAINST = {"training": ("published", "trl"), "answering": ("one_at_a_time", "lm_eval")}
"""The tasks, each with the ways that all others are compared with."""


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with FaQuAD's two files")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with GPT-2's")
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--quantization", choices=("none", "8bit", "4bit"), default="none")
    parser.add_argument("--device", default="auto", help="cpu, cuda, ... (default: the fastest)")
    parser.add_argument(
        "--precision",
        choices=("float32", "tf32", "bfloat16"),
        default="float32",
        help="full float32, a GPU's TF32 for float32, or autocast to bfloat16",
    )
    parser.add_argument("--batch", type=int, default=16, help="questions per optimizer step")
    parser.add_argument("--micro-batch", type=int, default=4, help="rows of the published recipe")
    parser.add_argument("--max-tokens", type=int, help="tokens per pass (default: by device)")
    parser.add_argument("--answering-tokens", type=int, default=32768, help="tokens held at a time")
    parser.add_argument("--train-questions", type=int, default=32, help="per repeat")
    parser.add_argument(
        "--published-questions", type=int, default=8, help="per repeat of the published recipe"
    )
    parser.add_argument(
        "--exam-file",
        choices=("train.json", "dev.json"),
        default="train.json",
        help="train.json has four questions per context, like a fold's exam; dev.json has two",
    )
    parser.add_argument("--exam-questions", type=int, default=48, help="per repeat")
    parser.add_argument("--new-tokens", type=int, default=16, help="longest answer")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--tasks",
        nargs="+",
        choices=AGAINST,
        default=list(AGAINST),
        help="what to measure",
    )
    parser.add_argument(
        "--no-growth", action="store_true", help="do not measure the growth of the cost"
    )
    parser.add_argument("--output", type=Path, help="default: bench/results/speed-SHAPE.json")
    return parser


def run(options: argparse.Namespace, base: Path) -> dict[str, Any]:
    """Measure everything; return the result."""
    given = vars(options)
    settings = Settings(
        base=base,
        **{field.name: given[field.name] for field in fields(Settings) if field.name != "base"},
    )
    before = load()
    device = apart("bench.base:make_base", settings)
    if settings.max_tokens is None:
        tokens = MAX_TOKENS.get(device, MAX_TOKENS_ELSEWHERE)
        settings = replace(settings, max_tokens=tokens)
    measured = {task: measure(task, settings) for task in options.tasks}
    grown = [] if options.no_growth else apart("bench.growth:growth", settings)
    peak = peak_flops(*measured.values())
    reported = {task: rows(found, AGAINST[task], peak) for task, found in measured.items()}
    for task, found in reported.items():
        add_memory_shares(found)
        add_ceiling(found["shared_context"], found[AGAINST[task][0]], peak)
    if "answering" in reported:
        add_equal_answers(reported["answering"], measured["answering"])
    about = next(iter(measured.values()))["shared_context"]["about"]
    places = ("data", "tokenizer", "base")
    return {
        "machine": {
            **machine(),
            "device": about["device"],
            "threads": about["threads"],
            "matrix_products_flops_per_second": round(peak),
            "load_before": before,
            "load_after": load(),
        },
        "settings": {name: value for name, value in asdict(settings).items() if name not in places},
        **reported,
        "growth": grown,
    }


def report(result: dict[str, Any]) -> None:
    """Print a table, with a reason for each way that was not run."""
    for task in (task for task in AGAINST if task in result):
        print(f"\n{task:16}{'questions/s':>12}{'x first':>9}{'MFU':>7}{'peak MiB':>10}{'equal':>7}")
        for name, way in result[task].items():
            if "not_run" in way:
                print(f"{name:16} not run: {way['not_run']}")
                continue
            first = next(iter(way["times"].values()))["median"]
            memory = (way["peak_device_bytes"] or way["peak_resident_bytes"]) >> 20
            equal = f"{way['equal_answers']:7.0%}" if "equal_answers" in way else ""
            print(
                f"{name:16}{way['questions_per_second']:12.2f}{first:9.2f}"
                f"{way['model_flops_utilization']:7.1%}{memory:10}{equal}"
            )
    if not result["growth"]:
        print("growth not run: --no-growth was given")
    if result["machine"]["device"] == "CPU":
        print(
            "GPU not run: there is none here, or --device cpu was given. On a GPU:\n"
            "  make bench DATA=... TOKENIZER=... "
            "OPTIONS='--shape gpt2-large --quantization 8bit'"
        )


def main() -> None:
    """Run all ways; write one JSON file and its chart."""
    parser = arguments()
    options = parser.parse_args()
    for path in (options.data / "train.json", options.data / "dev.json", options.tokenizer):
        if not path.exists():
            parser.error(f"{path}: not found; data/README.md says where to get FaQuAD")
    if options.precision == "tf32" and options.device == "cpu":
        parser.error("--precision tf32: needs a GPU; a CPU has float32 and bfloat16")
    output = options.output or Path(f"bench/results/speed-{options.shape}.json")
    with TemporaryDirectory(prefix="bench-") as folder:
        try:
            result = run(options, Path(folder))
        except WayError as error:
            sys.exit(str(error))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    report(result)
    try:
        chart.draw(result, output.with_suffix(".png"))
    except ModuleNotFoundError as error:
        print(
            f"no chart: {error.name} is not installed; install it, and draw the chart with "
            f"`python -m bench.chart {output}`",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
