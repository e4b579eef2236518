"""Questions a second: the published recipe, a row a question, a context once.

python bench/speed.py --data data/faquad --tokenizer DIR [--shape gpt2-large]
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from torch import Tensor

from vestibular.batching import Batching, by_length, epoch_batches, rows
from vestibular.encoding import EncodedQuestion, encode_answer, encode_prompt
from vestibular.generation import answer_questions
from vestibular.measuring import peak_device_bytes, peak_process_bytes
from vestibular.tensors import collate, label_loss

SHAPES = {"small": (6, 384, 6), "gpt2": (12, 768, 12), "gpt2-large": (36, 1280, 20)}
"""Layers, width, heads."""
PUBLISHED_LENGTH = 1024
NEW_TOKENS = 16


@dataclass(frozen=True)
class Prompt:
    """The settings' prompt, without the settings."""

    template: str
    answer_prefix: str = " "


PROMPT = Prompt(
    "Dado o contexto abaixo, responda a questão\n\n### Contexto:\n{context}\n\n"
    "### Questão:\n{question}\n\n### Resposta:"
)


def read_questions(path: Path, tokenizer: Any) -> list[EncodedQuestion]:
    """Encode all questions of a SQuAD file with their first answers."""
    documents = json.loads(path.read_text(encoding="utf-8"))["data"]
    questions = []
    for paragraph in (paragraph for document in documents for paragraph in document["paragraphs"]):
        for row in paragraph["qas"]:
            context = paragraph["context"]
            ids, _ = encode_prompt(tokenizer, PROMPT, context, row["question"], PUBLISHED_LENGTH)
            answer = encode_answer(tokenizer, PROMPT, row["answers"][0]["text"])
            questions.append(EncodedQuestion(row["id"], ids, answer, context, False))
    return questions


def build(shape: str, device: torch.device) -> Any:
    """Build a GPT-2 shape with random weights and an adapter, in float32."""
    layers, width, heads = SHAPES[shape]
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_layer=layers, n_embd=width, n_head=heads)
    model = transformers.GPT2LMHeadModel(config).to(device)
    lora = LoraConfig(
        r=8, lora_alpha=16, lora_dropout=0.1, task_type="CAUSAL_LM", fan_in_fan_out=True
    )
    return get_peft_model(model, lora)


def published_step(model: Any, batch: list[EncodedQuestion], micro: int) -> None:
    """Backpropagate a batch by the published recipe."""
    for start in range(0, len(batch), micro):
        part = batch[start : start + micro]
        ids = torch.zeros(len(part), PUBLISHED_LENGTH, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, question in enumerate(part):
            tokens = question.prompt + question.answer
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        ids, mask = ids.to(model.device), mask.to(model.device)
        labels = ids.masked_fill(mask == 0, -100)
        loss = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        (loss * len(part) / len(batch)).backward()


def own_step(model: Any, batch: list[EncodedQuestion], batching: Batching, max_tokens: int) -> None:
    """Backpropagate a batch as the pipeline does."""
    labels = sum(len(question.answer) for question in batch)
    for group in by_length(rows(batch, batching, "answer", max_tokens), max_tokens):
        inputs: dict[str, Tensor] = {
            name: tensor.to(model.device) for name, tensor in collate(group).items()
        }
        (label_loss(model, inputs) / labels).backward()


def one_at_a_time(model: Any, questions: list[EncodedQuestion], end: int) -> list[list[int]]:
    """Answer greedily with transformers' own `generate`, a question at a time."""
    answers = []
    for question in questions:
        ids = torch.tensor([question.prompt], device=model.device)
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=NEW_TOKENS,
                eos_token_id=end,
                pad_token_id=end,
            )[0, ids.shape[1] :].tolist()
        answers.append(output[: output.index(end)] if end in output else output)
    return answers


def seconds(work: Callable[[], object], device: torch.device) -> tuple[float, int]:
    """Return the seconds that `work` takes and the device's peak bytes meanwhile."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start, peak_device_bytes(device)


def compare(
    ways: dict[str, Callable[[], object]], questions: int, repeats: int, device: torch.device
) -> dict[str, Any]:
    """Time all ways in turn, `repeats` times after a warm-up; ratios are to the first way."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    peaks: dict[str, int] = {}
    for repeat in range(repeats + 1):
        for name, work in ways.items():
            taken, peak = seconds(work, device)
            peaks[name] = max(peak, peaks.get(name, 0))
            if repeat:
                times[name].append(taken)
            print(f"repeat {repeat}  {name}  {taken:.2f} s", flush=True)
    first = times[next(iter(ways))]
    return {
        name: {
            "questions_per_second": round(questions / statistics.median(taken), 2),
            "times_the_first": {
                key: round(pick([a / b for a, b in zip(first, taken, strict=True)]), 2)
                for key, pick in (("least", min), ("median", statistics.median), ("most", max))
            },
            "peak_device_bytes": peaks[name],
        }
        for name, taken in times.items()
    }


def main() -> None:
    """Run all ways and write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with FaQuAD's two files")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with GPT-2's")
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--batch", type=int, default=16, help="questions an optimizer step")
    parser.add_argument("--micro-batch", type=int, default=4, help="rows of the published recipe")
    parser.add_argument("--max-tokens", type=int, default=4096, help="tokens a forward pass")
    parser.add_argument("--steps", type=int, default=1, help="optimizer steps timed at a time")
    parser.add_argument("--questions", type=int, default=63, help="questions to answer")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("bench/results/speed.json"))
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.tokenizer)
    train = read_questions(options.data / "train.json", tokenizer)
    exam = read_questions(options.data / "dev.json", tokenizer)[: options.questions]
    model = build(options.shape, device)
    batches = epoch_batches(train, options.batch, seed=42, epoch=0)[: options.steps]

    def published() -> None:
        model.train()
        model.base_model.model.gradient_checkpointing_enable({"use_reentrant": False})
        for batch in batches:
            published_step(model, batch, options.micro_batch)
        model.base_model.model.gradient_checkpointing_disable()

    def own(batching: Batching) -> Callable[[], None]:
        def work() -> None:
            model.train()
            for batch in batches:
                own_step(model, batch, batching, options.max_tokens)

        return work

    asked = sum(len(batch) for batch in batches)
    training = compare(
        {
            "published": published,
            "padded": own("padded"),
            "shared_context": own("shared_context"),
        },
        asked,
        options.repeats,
        device,
    )

    model.eval()
    end = tokenizer.eos_token_id
    found: dict[str, list[list[int]]] = {}

    def slowly() -> None:
        found["one_at_a_time"] = one_at_a_time(model, exam, end)

    def together() -> None:
        answers = answer_questions(model, exam, end, NEW_TOKENS, 4 * options.max_tokens)
        found["shared_context"] = [list(answer.tokens) for answer in answers]

    answering = compare(
        {"one_at_a_time": slowly, "shared_context": together}, len(exam), options.repeats, device
    )
    pairs = zip(found["one_at_a_time"], found["shared_context"], strict=True)
    result = {
        "machine": {
            "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
            "processor": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.__version__,
        },
        "settings": {key: str(value) for key, value in vars(options).items()},
        "training": training,
        "answering": {**answering, "equal_answers": sum(a == b for a, b in pairs) / len(exam)},
        "peak_process_bytes": peak_process_bytes(),
    }
    for key in ("data", "tokenizer", "output"):
        del result["settings"][key]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
