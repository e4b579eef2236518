"""Compare a real model's answers in the pipeline's exam with those of transformers' `generate`.

    python -m bench.against_generate --base DIR --data data/faquad [--precision bfloat16]

The questions with the longest prompts are answered twice: in the way that the check finds for the
model's architecture, and one at a time by `generate`. With `--least 600`, a context is joined with
those that follow it in its document until it has that many tokens. In float32, all answers must be
equal. In bfloat16, two answers may differ where two tokens are equally likely within rounding. Then
the gap between the tokens, in nats, is printed, with the distance between neighbouring numbers of
the size of their logits.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import torch

from bench.questions import PROMPT
from vestibular.core.logs import silence_libraries
from vestibular.modeling import capability
from vestibular.modeling.answers import end_tokens
from vestibular.modeling.encoding import EncodedQuestion, encode_prompt
from vestibular.modeling.generation import answer_questions
from vestibular.modeling.models import load_base, load_tokenizer, pick_device


def main() -> None:
    """Answer the questions in both ways and print the differences."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, required=True, help="folder of the model")
    parser.add_argument("--data", type=Path, required=True, help="folder with FaQuAD's two files")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--least", type=int, default=0, help="fewest tokens of a context")
    options = parser.parse_args()
    silence_libraries()
    device = pick_device()
    ways = capability.ways(options.base)
    print(f"the check says: training {ways.training}, exam {ways.exam} {ways.reason}")
    tokenizer = load_tokenizer(options.base)
    dtype = getattr(torch, options.precision)
    model = load_base(options.base, "none", device, dtype).eval()
    asked = longest(tokenizer, options.data, options.questions, options.least)
    lengths = [len(question.prompt) for question in asked]
    print(f"{len(asked)} questions of {min(lengths)} to {max(lengths)} tokens")
    ends = end_tokens(tokenizer, model)
    started = time.perf_counter()
    ours = answer_questions(model, asked, ends, options.new_tokens, 16384, ways.exam)
    print(f"{ways.exam}: {time.perf_counter() - started:.0f} s")
    started = time.perf_counter()
    equal = 0
    for question, answer in zip(asked, ours, strict=True):
        theirs, gap, step = generate(model, question, ends, options.new_tokens, answer.tokens)
        equal += answer.tokens == theirs
        if answer.tokens != theirs:
            print(
                f"{question.id}: differs with a gap of {gap:.3g} nats, numbers {step:.3g} apart: "
                f"{tokenizer.decode(answer.tokens)!r}, generate {tokenizer.decode(theirs)!r}"
            )
    print(f"generate, one at a time: {time.perf_counter() - started:.0f} s")
    print(f"{equal} of {len(asked)} answers are equal")


def longest(tokenizer: Any, data: Path, count: int, least: int) -> list[EncodedQuestion]:
    """Return the questions with the longest prompts, without answers."""
    encoded = []
    for name in ("train.json", "dev.json"):
        for document in json.loads((data / name).read_text(encoding="utf-8"))["data"]:
            paragraphs = document["paragraphs"]
            for place, paragraph in enumerate(paragraphs):
                context = paragraph["context"]
                for following in paragraphs[place + 1 :]:
                    if len(tokenizer(context)["input_ids"]) >= least:
                        break
                    context += "\n" + following["context"]
                for row in paragraph["qas"]:
                    prompt = encode_prompt(tokenizer, PROMPT, context, row["question"])
                    encoded.append(EncodedQuestion(row["id"], prompt, (), context, False))
    return sorted(encoded, key=lambda question: -len(question.prompt))[:count]


def generate(
    model: Any,
    question: EncodedQuestion,
    ends: tuple[int, ...],
    new_tokens: int,
    ours: tuple[int, ...],
) -> tuple[tuple[int, ...], float, float]:
    """Return generate's answer, and how much likelier its token is where the answers differ.

    The third value is the distance between neighbouring numbers of that logit's size.
    """
    ids = torch.tensor([question.prompt], device=model.device)
    output = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=new_tokens,
        eos_token_id=list(ends),
        pad_token_id=ends[0],
        output_logits=True,
        return_dict_in_generate=True,
    )
    said = output.sequences[0, ids.shape[1] :].tolist()
    length = next((place for place, token in enumerate(said) if token in ends), len(said))
    theirs = tuple(said[:length])
    if theirs == ours:
        return theirs, 0.0, 0.0
    place = next(
        (i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
        min(len(ours), len(theirs)),
    )
    logits = output.logits[place][0]
    odds = logits.float().log_softmax(-1)
    other = odds[list(ends)].max() if place == len(ours) else odds[ours[place]]
    step = torch.finfo(model.dtype).eps * 2.0 ** math.floor(math.log2(float(logits.max())))
    return theirs, float(odds.max() - other), step


if __name__ == "__main__":
    main()
