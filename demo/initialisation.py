"""Builds the models, with initial weights from which looking things up is soon learned.

A small transformer learns to copy from its context only once some head of its first layer looks a
fixed number of tokens back; until then it stays on a plateau (Olsson et al., "In-context Learning
and Induction Heads", 2022, https://arxiv.org/abs/2209.11895). So the heads of the first layer
start as such heads, built on sinusoidal positions, and the heads of the other layers start as
heads that look for similar content. Everything stays trainable.
"""

import math
from dataclasses import dataclass

import torch
from settings import BaseSettings
from torch import Tensor
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

_EMBEDDING_STD = 0.1
_POSITION_SCALE = 0.3
_FREQUENCIES = 8
_FIRST_LAYER_GAIN = 1.5
_FIRST_LAYER_OUTPUT = 0.3
_SIMILARITY_GAIN = 0.3
# Tokens that the heads of the first layer look back, and the highest frequency (radians a token)
# that each uses: without the high ones a head sees a wider window.
_LOOK_BACK = ((1.0, math.inf), (2.0, math.inf), (3.0, 0.7), (6.0, 0.4))


@dataclass(frozen=True)
class _Attention:
    """Views of the weights of one attention layer, each `(width, width)`, input first."""

    query: Tensor
    key: Tensor
    value: Tensor
    output: Tensor


def build_model(settings: BaseSettings, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """Builds an untrained model.

    Args:
        settings: Architecture, shape and seed.
        tokenizer: Gives the vocabulary's size and the ids of the special tokens.
    """
    torch.manual_seed(settings.seed)
    model: PreTrainedModel
    if settings.architecture == "gpt2":
        model = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=len(tokenizer),
                n_positions=settings.positions,
                n_embd=settings.width,
                n_layer=settings.layers,
                n_head=settings.heads,
                n_inner=settings.feed_forward,
                activation_function="gelu_pytorch_tanh",
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        )
    else:
        model = OPTForCausalLM(
            OPTConfig(
                vocab_size=len(tokenizer),
                max_position_embeddings=settings.positions,
                hidden_size=settings.width,
                word_embed_proj_dim=settings.width,
                num_hidden_layers=settings.layers,
                num_attention_heads=settings.heads,
                ffn_dim=settings.feed_forward,
                dropout=0.0,
                attention_dropout=0.0,
                layerdrop=0.0,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
    initialise(model)
    return model


@torch.no_grad()
def initialise(model: PreTrainedModel) -> None:
    """Sets the embeddings and adds the prepared heads to the random attention weights."""
    width = model.config.hidden_size
    head_width = width // model.config.num_attention_heads
    position_width = 2 * _FREQUENCIES
    tokens, positions = _embeddings(model)
    tokens.normal_(0.0, _EMBEDDING_STD)
    tokens[:, -position_width:] *= 0.1
    positions.zero_()
    positions[:, -position_width:] = _POSITION_SCALE * _sinusoids(positions.shape[0])
    first, *others = _attentions(model)
    for head in range(model.config.num_attention_heads):
        columns = slice(head * head_width, (head + 1) * head_width)
        offset, highest = _LOOK_BACK[head % len(_LOOK_BACK)]
        _look_back(first, columns, offset, highest)
        for attention in others:
            shared = _orthogonal(width, head_width)
            attention.query[:, columns] += _SIMILARITY_GAIN * shared
            attention.key[:, columns] += _SIMILARITY_GAIN * shared
            shared = _orthogonal(width, head_width)
            attention.value[:, columns] += _SIMILARITY_GAIN * shared
            attention.output[columns] += _SIMILARITY_GAIN * shared.T


def _look_back(attention: _Attention, columns: slice, offset: float, highest: float) -> None:
    """Makes a head attend to the position `offset` tokens back and pass its content on.

    Keys are the sinusoids of their position; the query turns its own by the angle of the offset,
    so that their product is largest at that distance.
    """
    width = attention.query.shape[0]
    head_width = columns.stop - columns.start
    position_start = width - 2 * _FREQUENCIES
    attention.query[:, columns] *= 0.1
    attention.key[:, columns] *= 0.1
    for index, frequency in enumerate(_frequencies().tolist()):
        if frequency > highest or 2 * index + 1 >= head_width:
            continue
        row_sine = position_start + 2 * index
        row_cosine = row_sine + 1
        column_sine = columns.start + 2 * index
        column_cosine = column_sine + 1
        cosine = _FIRST_LAYER_GAIN * math.cos(offset * frequency)
        sine = _FIRST_LAYER_GAIN * math.sin(offset * frequency)
        attention.key[row_sine, column_sine] += _FIRST_LAYER_GAIN
        attention.key[row_cosine, column_cosine] += _FIRST_LAYER_GAIN
        attention.query[row_sine, column_sine] += cosine
        attention.query[row_cosine, column_sine] -= sine
        attention.query[row_cosine, column_cosine] += cosine
        attention.query[row_sine, column_cosine] += sine
    attention.value[:position_start, columns] = _orthogonal(position_start, head_width)
    attention.value[position_start:, columns] = 0.0
    attention.output[columns] = _FIRST_LAYER_OUTPUT * _orthogonal(head_width, width)


def _embeddings(model: PreTrainedModel) -> tuple[Tensor, Tensor]:
    """Returns the token embeddings `(vocabulary, width)` and those of the positions."""
    if model.config.model_type == "gpt2":
        return model.transformer.wte.weight, model.transformer.wpe.weight
    decoder = model.model.decoder
    return decoder.embed_tokens.weight, decoder.embed_positions.weight


def _attentions(model: PreTrainedModel) -> list[_Attention]:
    """Returns the attention weights by layer, whichever way round the architecture has them."""
    if model.config.model_type == "gpt2":
        return [
            _Attention(
                *block.attn.c_attn.weight.split(model.config.hidden_size, dim=1),
                block.attn.c_proj.weight,
            )
            for block in model.transformer.h
        ]
    return [
        _Attention(
            layer.self_attn.q_proj.weight.T,
            layer.self_attn.k_proj.weight.T,
            layer.self_attn.v_proj.weight.T,
            layer.self_attn.out_proj.weight.T,
        )
        for layer in model.model.decoder.layers
    ]


def _frequencies() -> Tensor:
    """Angular frequencies of the positions, in radians a token: `(frequencies,)`."""
    return torch.exp(torch.linspace(math.log(2.0), math.log(0.03), _FREQUENCIES))


def _sinusoids(positions: int) -> Tensor:
    """Sines and cosines in turn: `(positions, 2 * frequencies)`."""
    angles = torch.arange(positions)[:, None] * _frequencies()
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)


def _orthogonal(rows: int, columns: int) -> Tensor:
    """A random matrix `(rows, columns)` with orthonormal rows or columns, the fewer of the two."""
    square, _ = torch.linalg.qr(torch.randn(max(rows, columns), min(rows, columns)))
    return square if rows >= columns else square.T
