"""The models that are measured: sizes of published models, with random weights.

Nothing here imports torch until a configuration is made.
"""

from dataclasses import dataclass
from typing import Any, Literal

PUBLISHED_LENGTH = 1024
"""Length in tokens to which the published recipe pads every prompt."""
END = 50256
"""End-of-sequence token of GPT-2's tokenizer, which all shapes use."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a decoder."""

    family: Literal["gpt2", "llama", "gemma3"]
    layers: int
    width: int
    heads: int
    key_heads: int
    """Heads of keys and values, each shared by several query heads."""
    head_width: int
    hidden: int
    """Width of the hidden layer in a block's feed-forward part."""
    vocabulary: int = 50257

    @property
    def queries(self) -> int:
        """Width of all queries together."""
        return self.heads * self.head_width

    @property
    def keys(self) -> int:
        """Width of all keys together, and of all values."""
        return self.key_heads * self.head_width

    @property
    def block_weights(self) -> int:
        """Weights of a block's matrices."""
        attention = self.width * (2 * self.queries + 2 * self.keys)
        gated = self.family != "gpt2"
        return attention + (3 if gated else 2) * self.width * self.hidden

    def adapted_weights(self, rank: int) -> int:
        """Return the weights of a block's adapter on the modules that peft adapts by default."""
        if self.family == "gpt2":
            return rank * (self.width + self.queries + 2 * self.keys)
        return rank * (2 * self.width + self.queries + self.keys)

    def configuration(self) -> Any:
        """Return transformers' configuration."""
        import transformers

        if self.family == "gpt2":
            return transformers.GPT2Config(
                vocab_size=self.vocabulary,
                n_positions=PUBLISHED_LENGTH,
                n_layer=self.layers,
                n_embd=self.width,
                n_head=self.heads,
            )
        kinds = {"llama": transformers.LlamaConfig, "gemma3": transformers.Gemma3TextConfig}
        return kinds[self.family](
            vocab_size=self.vocabulary,
            max_position_embeddings=2 * PUBLISHED_LENGTH,
            num_hidden_layers=self.layers,
            hidden_size=self.width,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_heads,
            head_dim=self.head_width,
            intermediate_size=self.hidden,
            tie_word_embeddings=True,
            bos_token_id=END,
            eos_token_id=END,
            pad_token_id=END,
            **({"sliding_window": 512} if self.family == "gemma3" else {}),
        )


def gpt2(layers: int, width: int, heads: int) -> Shape:
    """Return a shape with GPT-2's proportions."""
    return Shape("gpt2", layers, width, heads, heads, width // heads, 4 * width)


SHAPES = {
    "toy": gpt2(2, 32, 2),
    "tiny": gpt2(2, 128, 2),
    "mini": gpt2(4, 256, 4),
    "small": gpt2(6, 384, 6),
    "gpt2": gpt2(12, 768, 12),
    "gpt2-medium": gpt2(24, 1024, 16),
    "gpt2-large": gpt2(36, 1280, 20),
    "smollm2-135m": Shape("llama", 30, 576, 9, 3, 64, 1536),
    "gemma-3-270m": Shape("gemma3", 18, 640, 4, 1, 256, 2048, vocabulary=262144),
    "toy-llama": Shape("llama", 2, 32, 4, 2, 8, 48),
    "toy-gemma3": Shape("gemma3", 2, 32, 4, 1, 8, 48),
}
"""Shapes by name; those from `gpt2` on, except the toys, are published ones."""
