"""Measure time and memory of the leak audit on data for which its work could grow quadratically.

python -m bench.leak_audit
"""

import itertools
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.machine import load, machine
from vestibular.core.files import write_json
from vestibular.core.questions import Question
from vestibular.data.leaks import find_leaks, joined_documents

RESULT = Path(__file__).parent / "results" / "leak-audit.json"
WORDS = 50_000
CONTEXT_WORDS = 120
"""As in SQuAD."""
QUESTIONS = 100_000
CONTEXTS = 20_000
TEMPLATED = 8_000
HELD_OUT = 10
"""One question in this many is in validation."""
TEMPLATE = (
    "Destaque as partes deste contrato que um advogado deve revisar: qual é a parte contratante "
    "do contrato número {} e quem a representa?"
)


def many_contexts() -> list[Question]:
    """Return questions about contexts drawn by Zipf's law; one context in fifty is a copy.

    In a copy, one word in twelve is replaced.
    """
    draw = random.Random(1)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))

    def words(count: int) -> list[str]:
        return [f"w{word}" for word in draw.choices(range(WORDS), cum_weights=weights, k=count)]

    contexts: list[list[str]] = []
    for _ in range(CONTEXTS):
        if contexts and draw.random() < 0.02:
            source = draw.choice(contexts)
            contexts.append([words(1)[0] if draw.random() < 1 / 12 else word for word in source])
        else:
            contexts.append(words(CONTEXT_WORDS))
    texts = [" ".join(context) for context in contexts]
    return [
        _question(number, texts[number % CONTEXTS], " ".join(words(10)), " ".join(words(2)))
        for number in range(QUESTIONS)
    ]


def one_template() -> list[Question]:
    """Return questions that differ in one word, with contexts that differ in two, and answers."""
    return [
        _question(
            number,
            f"Contrato {number}. A parte contratante do contrato número {number} é a firma de "
            f"sempre, e o prazo é de {number % 90} dias, como as partes acordaram entre si.",
            TEMPLATE.format(number),
            f"firma {number}",
        )
        for number in range(TEMPLATED)
    ]


def one_template_one_answer() -> list[Question]:
    """Return the same questions with one answer, so that each is a leak of all others."""
    return [
        _question(number, f"Contrato {number}.", TEMPLATE.format(number), "sem resposta")
        for number in range(TEMPLATED)
    ]


def _question(number: int, context: str, question: str, answer: str) -> Question:
    return Question(f"q{number}", "", context, question, (answer,), (-1,))


CASES: dict[str, Callable[[], list[Question]]] = {
    "100,000 questions of 20,000 contexts": many_contexts,
    "8,000 questions that differ in one word": one_template,
    "8,000 questions that differ in one word, with one answer": one_template_one_answer,
}


def measure(name: str) -> dict[str, object]:
    """Audit one of the cases in this process."""
    questions = CASES[name]()
    before = _peak()
    start, busy = time.perf_counter(), time.process_time()
    leaks = find_leaks(
        [one for number, one in enumerate(questions) if number % HELD_OUT],
        questions[::HELD_OUT],
    )
    between = time.perf_counter()
    documents = joined_documents(questions)
    end = time.perf_counter()
    return {
        "find_leaks_seconds": round(between - start, 1),
        "joined_documents_seconds": round(end - between, 1),
        "processor_seconds": round(time.process_time() - busy, 1),
        "load": load(),
        "peak_resident_bytes_before": before,
        "peak_resident_bytes": _peak(),
        "leaked": leaks.leaked,
        **leaks.counts,
        "documents": len(set(documents)),
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure each case in a process of its own, and write the result."""
    if sys.argv[1:]:
        print(json.dumps(measure(sys.argv[1])))
        return
    found = {}
    for name in CASES:
        command = [sys.executable, "-m", "bench.leak_audit", name]
        found[name] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        print(name, found[name], flush=True)
    write_json(RESULT, {"machine": machine(), "cases": found})


if __name__ == "__main__":
    main()
