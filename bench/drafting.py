"""Measure what a fine-tuned model gains by guessing an answer's tokens from its prompt.

    python -m bench.drafting CANDIDATE [--questions 24] [--repeats 3]

Run it in a project whose candidate is trained (`dvc repro train@CANDIDATE`). It answers the
questions one at a time and all together, with and without guesses, in turn. It prints the seconds
per question, the tokens per pass after the prompt, and the number of equal answers.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vestibular.core.base_models import locate, read_pin
from vestibular.core.candidates import load_for_candidate
from vestibular.core.logs import silence_libraries
from vestibular.core.trials import asked_questions, parse_trial
from vestibular.examination.settings import ExamParams


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("candidate")
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    silence_libraries()
    from vestibular.core.environment import arithmetic_in_force, settle
    from vestibular.examination import evaluation
    from vestibular.examination.exam import load_examinee
    from vestibular.modeling.answers import end_tokens
    from vestibular.modeling.generation import answer_questions

    trial = parse_trial([options.candidate], "bench.drafting")
    params, pinned = load_for_candidate(ExamParams, trial.candidate), read_pin(trial.candidate)
    base = locate(pinned.pin)
    settle(arithmetic_in_force(pinned.arithmetic, base))
    one = load_examinee(base, pinned, trial.adapter)
    questions = [
        windows[0]
        for windows in evaluation.encode_exam(
            one.base,
            one.tokenizer,
            params.prompt,
            pinned.max_length,
            params.evaluate,
            asked_questions(trial.plan())[: options.questions],
        )
    ]
    ends = end_tokens(one.tokenizer, one.model)
    ways = {
        f"{'one at a time' if budget == 1 else 'together'}, {guesses} guesses": (budget, guesses)
        for budget in (1, 32768)
        for guesses in (0, 7)
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    passes: dict[str, int] = {}
    answers: dict[str, list[Any]] = {}
    with counted(one.model) as count:
        for _ in range(options.repeats):
            for name, (budget, guesses) in ways.items():
                with guessing(guesses):
                    count[0] = 0
                    start = time.perf_counter()
                    answers[name] = answer_questions(
                        one.model, questions, ends, params.evaluate.max_new_tokens, budget, "shared"
                    )
                    seconds[name].append((time.perf_counter() - start) / len(questions))
                    passes[name] = count[0]
    plain = answers["one at a time, 0 guesses"]
    tokens = sum(len(answer.log_probabilities) - 1 for answer in plain)
    result: dict[str, Any] = {
        "questions": len(questions),
        "dtype": str(one.dtype),
        "tokens_behind_the_first": tokens / len(questions),
    }
    for name in ways:
        result[name] = {
            "seconds_a_question": round(statistics.median(seconds[name]), 3),
            "passes": passes[name],
            "equal_answers": sum(
                a.tokens == b.tokens for a, b in zip(answers[name], plain, strict=True)
            ),
        }
    # the prompt itself takes as many passes with guesses as without
    before = passes["one at a time, 0 guesses"] - tokens
    behind = passes["one at a time, 7 guesses"] - before
    result["tokens_a_pass"] = round(tokens / behind, 2)
    print(json.dumps(result, indent=2))


@contextmanager
def guessing(most: int) -> Iterator[None]:
    """Allow at most this many guessed tokens for a row."""
    from vestibular.modeling import drafting

    before = drafting.LONGEST
    drafting.LONGEST = most
    try:
        yield
    finally:
        drafting.LONGEST = before


@contextmanager
def counted(model: Any) -> Iterator[list[int]]:
    """Count the forward passes of a model."""
    count = [0]
    decoder = model.get_base_model() if hasattr(model, "get_base_model") else model

    def add(*_: Any) -> None:
        count[0] += 1

    hook = decoder.register_forward_pre_hook(add)
    try:
        yield count
    finally:
        hook.remove()


if __name__ == "__main__":
    main()
