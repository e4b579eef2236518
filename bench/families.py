"""Check training and exam on this machine with small random models of five families.

python -m bench.families [--precision bfloat16] [--output FILE]

For each family, the check finds the ways of training and answering. Questions with shared contexts
are trained together and one per row, and the losses must agree. They are answered together and by
transformers' `generate`, and the answers must agree. In bfloat16, rounding may cause differences:
losses by one hundredth, and answers where two tokens are equally likely (`against_generate.py`).
"""

import argparse
import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, set_seed

from bench.against_generate import generate
from vestibular.core.logs import silence_libraries
from vestibular.modeling import capability
from vestibular.modeling.batching import by_length, rows
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.generation import answer_questions
from vestibular.modeling.models import pick_device
from vestibular.modeling.tensors import collate, label_loss

VOCABULARY = 512
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 1024,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": {
        "vocab_size": VOCABULARY,
        "n_embd": 256,
        "n_layer": 4,
        "n_head": 8,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
    "llama": SIZES,
    "qwen3": SIZES,
    "mistral": {**SIZES, "sliding_window": 64},
    "gemma3_text": {**SIZES, "sliding_window": 64},
}
NEW_TOKENS = 12


def main() -> None:
    """Print a line for each family, and write all results to a file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--contexts", type=int, default=8)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    silence_libraries()
    dtype = getattr(torch, options.precision)
    found = {name: examine(name, dtype, options.contexts) for name in FAMILIES}
    for name, result in found.items():
        print(f"{name:12} {json.dumps(result)}", flush=True)
    if options.output:
        options.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def examine(name: str, dtype: torch.dtype, contexts: int) -> dict[str, Any]:
    """Return the results of one family."""
    set_seed(0)
    device = pick_device()
    config = AutoConfig.for_model(name, **FAMILIES[name])
    with TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        ways = capability.ways(Path(folder))
    model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype).to(device).eval()
    questions = draw(contexts)
    losses = {}
    with torch.no_grad():
        for batching in ("shared_context", "padded"):
            laid_out = rows(questions, batching, "answer", 4096)
            total = torch.zeros((), device=device)
            for group in by_length(laid_out, 4096):
                placed = {key: tensor.to(device) for key, tensor in collate(group).items()}
                total += label_loss(model, placed)
            losses[batching] = total.item() / sum(len(one.answer) for one in questions)
    answers = answer_questions(model, questions, (2,), NEW_TOKENS, 8192, ways.exam)
    equal, widest = 0, 0.0
    for question, answer in zip(questions, answers, strict=True):
        theirs, gap, _ = generate(model, question, (2,), NEW_TOKENS, answer.tokens)
        equal += theirs == answer.tokens
        widest = max(widest, gap)
    return {
        "training": ways.training,
        "exam": ways.exam,
        "loss_shared": losses["shared_context"],
        "loss_padded": losses["padded"],
        "questions": len(questions),
        "equal_answers": equal,
        "widest_gap_nats": widest,
    }


def draw(contexts: int) -> list[EncodedQuestion]:
    """Return four questions of random tokens for each context."""
    source = random.Random(0)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(source.randrange(3, VOCABULARY) for _ in range(count))

    questions = []
    for number in range(contexts):
        context = tokens(source.randrange(100, 300))
        questions += [
            EncodedQuestion(
                f"{number}-{which}", context + tokens(12), tokens(5), str(number), False
            )
            for which in range(4)
        ]
    return questions


if __name__ == "__main__":
    main()
