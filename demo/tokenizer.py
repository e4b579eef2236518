"""Trains the byte-level BPE tokenizers of the bases."""

from collections.abc import Iterable
from typing import Literal

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

# The fixed words of the prompt of the fine-tuning. The tokenizers know them, so that prompts are
# short; the bases never see them.
PROMPT_WORDS = (
    "Dado o contexto abaixo, responda a questão\n\n### Contexto:\nA\n\n### Questão:\nO\n\n"
    "### Resposta: a"
)


def train_tokenizer(
    texts: Iterable[str],
    vocabulary: int,
    architecture: Literal["gpt2", "opt"],
    model_max_length: int,
) -> PreTrainedTokenizerFast:
    """Trains a tokenizer with the special tokens of an architecture.

    Args:
        texts: What to train on.
        vocabulary: Number of tokens, special ones included.
        architecture: GPT-2 has one special token and puts nothing in front; OPT has four and
            puts its `</s>` in front of every text.
        model_max_length: Longest sequence of the model, in tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>"] if architecture == "gpt2" else ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    byte_level = processors.ByteLevel(trim_offsets=False)
    if architecture == "gpt2":
        tokenizer.post_processor = byte_level
        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            bos_token="<|endoftext|>",
            eos_token="<|endoftext|>",
            unk_token="<|endoftext|>",
            model_max_length=model_max_length,
        )
    tokenizer.post_processor = processors.Sequence(
        [
            byte_level,
            processors.TemplateProcessing(
                single="</s> $A",
                pair="</s> $A </s> $B",
                special_tokens=[("</s>", tokenizer.token_to_id("</s>"))],
            ),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="</s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=model_max_length,
    )
