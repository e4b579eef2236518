"""Settings of a run of the bench. Nothing here imports torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MAX_TOKENS = {"cpu": 1024}
MAX_TOKENS_ELSEWHERE = 16384
"""Largest number of tokens in one forward pass of our training, by device; on a CPU, more tokens
are not faster and take more memory."""

Precision = Literal["float32", "tf32", "bfloat16"]
"""Precision of matrix products: full float32, the GPU's 19-bit TF32, or autocast to bfloat16."""


@dataclass(frozen=True)
class Settings:
    """The options of `python -m bench.speed`."""

    data: Path
    """Folder with FaQuAD's train.json and dev.json, or other files in SQuAD's format."""
    tokenizer: Path
    """Folder with GPT-2's tokenizer."""
    base: Path
    """Folder with the base model: random weights of `shape`, in float32."""
    shape: str
    """A key of `SHAPES`."""
    quantization: Literal["none", "8bit", "4bit"]
    """How the frozen base is stored, by bitsandbytes."""
    device: str
    """`cpu`, `cuda` and so on; `auto` for the fastest one available."""
    precision: Precision
    """Precision of matrix products."""
    batch: int
    """Questions per optimizer step."""
    micro_batch: int
    """Rows of one forward pass of the published recipe."""
    max_tokens: int
    """Largest number of tokens in one forward pass of our training, padding included."""
    answering_tokens: int
    """Tokens of prompts and answers that our answering holds at a time."""
    train_questions: int
    """Questions that a repeat trains on; a multiple of `batch`."""
    published_questions: int
    """Questions that the published recipe trains on; fewer, since each costs it the same."""
    exam_file: str
    """File of `data` whose first questions are answered."""
    exam_questions: int
    """Questions that a repeat answers."""
    new_tokens: int
    """Longest answer, in tokens."""
    repeats: int
    """Number of times that each way is measured, after a warm-up."""
