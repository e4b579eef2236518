"""Tiny configurations, one for each mechanism that decides how a model may be taught and asked."""

import shutil
from pathlib import Path
from typing import Any

SHAPES = ("gpt2", "opt", "llama", "qwen2", "gpt_neox")
"""What the fixture `tiny_model` builds."""
VOCABULARY = 151
SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
GPT = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16, "tie_word_embeddings": False}
WINDOW = {"sliding_window": 16}
HEADS = {"head_dim": 8}
GEMMA = {**WINDOW, **HEADS, "query_pre_attn_scalar": 8}
LATENT = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8}
DELTA = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
ALTERNATING = ["sliding_attention", "full_attention"] * 2

CONFIGURATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": (
        "GPT2Config",
        {**GPT, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
        | {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    ),
    "opt": ("OPTConfig", {**SMALL, "ffn_dim": 48, "word_embed_proj_dim": 32, "dropout": 0.0}),
    "llama": ("LlamaConfig", {**SMALL}),
    "qwen3": ("Qwen3Config", {**SMALL, **HEADS}),
    "gptj": ("GPTJConfig", {**GPT, "n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4}),
    "mistral": ("MistralConfig", {**SMALL, **WINDOW}),
    "phi3": ("Phi3Config", {**SMALL, **WINDOW, "tie_word_embeddings": False}),
    "gemma2": ("Gemma2Config", {**SMALL, **GEMMA, "layer_types": ALTERNATING}),
    "gemma3_text": ("Gemma3TextConfig", {**SMALL, **GEMMA, "layer_types": ALTERNATING}),
    "llama4_text": (
        "Llama4TextConfig",
        {**SMALL, **HEADS, "attention_chunk_size": 16, "num_local_experts": 4}
        | {"intermediate_size_mlp": 48, "interleave_moe_layer_step": 2}
        | {"layer_types": ["chunked_attention", "full_attention"] * 2},
    ),
    "deepseek_v3": (
        "DeepseekV3Config",
        {**SMALL, **EXPERTS, **LATENT, "v_head_dim": 8, "n_routed_experts": 4, "n_group": 2}
        | {"topk_group": 1, "first_k_dense_replace": 2, "num_key_value_heads": 4},
    ),
    "gpt_oss": (
        "GptOssConfig",
        {**SMALL, **WINDOW, **HEADS, "num_local_experts": 4, "num_experts_per_tok": 2}
        | {"layer_types": ALTERNATING},
    ),
    "mixtral": ("MixtralConfig", {**SMALL, **WINDOW, "num_local_experts": 4}),
    "bloom": ("BloomConfig", {**GPT, "hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "mpt": ("MptConfig", {**GPT, "d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 512}),
    "falcon_alibi": ("FalconConfig", {**SMALL, "alibi": True, "multi_query": True}),
    "gpt_neo": (
        "GPTNeoConfig",
        {**GPT, "hidden_size": 32, "num_layers": 4, "num_heads": 4, "window_size": 8}
        | {"attention_types": [[["global", "local"], 2]], "max_position_embeddings": 512},
    ),
    "mamba": ("MambaConfig", {**GPT, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}),
    "mamba2": (
        "Mamba2Config",
        {**GPT, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "num_heads": 4}
        | {"head_dim": 16, "n_groups": 1, "expand": 2},
    ),
    "lfm2": ("Lfm2Config", {**SMALL, "layer_types": ["conv", "full_attention"] * 2}),
    "qwen3_next": (
        "Qwen3NextConfig",
        {**SMALL, **HEADS, **EXPERTS, **DELTA, "num_experts": 4}
        | {"shared_expert_intermediate_size": 16}
        | {"layer_types": ["linear_attention", "full_attention"] * 2},
    ),
    "jamba": (
        "JambaConfig",
        {**SMALL, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2}
        | {"expert_layer_offset": 1, "num_experts": 4, "num_experts_per_tok": 2}
        | {"mamba_d_state": 4, "use_mamba_kernels": False, "tie_word_embeddings": False},
    ),
    "gemma3": (
        "Gemma3Config",
        {
            "text_config": {**SMALL, **GEMMA, "layer_types": ALTERNATING},
            "vision_config": {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
            | {"num_attention_heads": 2, "image_size": 16, "patch_size": 8},
            "mm_tokens_per_image": 4,
            "image_token_index": 150,
            "boi_token_index": 149,
            "eoi_token_index": 148,
            "eos_token_id": 2,
            "pad_token_id": 0,
            "bos_token_id": 1,
        },
    ),
}
"""For each name the class of its configuration, and that one's values."""

EXPECTED = {
    **dict.fromkeys(CONFIGURATIONS, ("shared", "shared")),
    **dict.fromkeys(
        ("bloom", "mpt", "falcon_alibi", "gpt_neo", "mamba", "mamba2", "lfm2", "qwen3_next"),
        ("padded", "padded"),
    ),
    "jamba": ("padded", "padded"),
}
"""For each name the ways of training and exam."""


def configuration(name: str, **more: Any) -> Any:
    """Return a tiny configuration, some values of its text decoder in place of the usual ones."""
    import transformers

    kind, values = CONFIGURATIONS[name]
    text = values.get("text_config")
    values = {**values, "text_config": {**text, **more}} if text else {**values, **more}
    return getattr(transformers, kind)(**values)


def tiny(name: str, **more: Any) -> Any:
    """Return a tiny model with weights that make its attention decide something."""
    import torch
    from transformers import AutoModelForCausalLM

    from vestibular.modeling.miniature import enliven

    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(configuration(name, **more), dtype=torch.float32)
    enliven(model)
    return model.eval()


def save_base(name: str, folder: Path, tokenizer: Path) -> None:
    """Write a tiny base model that reads with the demo's tokenizer.

    Args:
        name: its architecture.
        folder: where to.
        tokenizer: folder of the tokenizer, of 1,000 words.
    """
    model = tiny(name, vocab_size=1000, bos_token_id=0, eos_token_id=0, pad_token_id=0)
    model.save_pretrained(folder)
    for path in tokenizer.glob("tokenizer*"):
        shutil.copy(path, folder)
