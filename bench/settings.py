"""What a run of the bench is set to. Nothing here imports torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MAX_TOKENS = {"cpu": 1024}
MAX_TOKENS_ELSEWHERE = 16384
"""Tokens of one forward pass of our training, by device: on a CPU more are no faster, and take
more memory."""

Precision = Literal["float32", "tf32", "bfloat16"]
"""How matrices are multiplied: in float32 proper, in the GPU's 19-bit TF32, or in autocast."""


@dataclass(frozen=True)
class Settings:
    """The options of `python -m bench.speed`."""

    data: Path
    """Folder with FaQuAD's train.json and dev.json, or other files of SQuAD's form."""
    tokenizer: Path
    """Folder with GPT-2's tokenizer."""
    base: Path
    """Folder with the base model, in float32, random weights of `shape`."""
    shape: str
    """A key of `SHAPES`."""
    quantization: Literal["none", "8bit", "4bit"]
    """How the frozen base is stored, by bitsandbytes."""
    device: str
    """`cpu`, `cuda` and so on; `auto` for the fastest there is."""
    precision: Precision
    """How matrices are multiplied."""
    batch: int
    """Questions an optimizer step."""
    micro_batch: int
    """Rows of one forward pass of the published recipe."""
    max_tokens: int
    """Tokens of one forward pass of our training, padding counted."""
    answering_tokens: int
    """Tokens of prompts and answers that our answering holds at a time."""
    train_questions: int
    """Questions that a repeat trains on; a multiple of `batch`."""
    published_questions: int
    """Those that the published recipe trains on: every question costs it the same."""
    exam_file: str
    """File of `data` whose first questions are answered."""
    exam_questions: int
    """Questions that a repeat answers."""
    new_tokens: int
    """Longest answer, in tokens."""
    repeats: int
    """Times that each way is measured, after a warm-up."""
