"""What a tokenizer, a chat template and modules must be able to do is tried before any training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, PreTrainedTokenizerFast

from vestibular.core.errors import BaseModelError, DataError
from vestibular.core.settings import PromptSettings
from vestibular.modeling.base_checks import check_base
from vestibular.modeling.encoding import encode_prompt
from vestibular.modeling.models import load_tokenizer

pytestmark = pytest.mark.slow

PROMPT = PromptSettings(template="{context}\n{question}\n", answer_prefix=" ", chat=False)
USUAL = (
    "{% for m in messages %}<u>{{ m['content'] }}</u>{% endfor %}"
    "{% if add_generation_prompt %}<a>{% endif %}"
)


def chat(**kwargs: Any) -> PromptSettings:
    """The prompt as a user's message."""
    return PROMPT.model_copy(update={"chat": True, "chat_template_kwargs": kwargs})


def save(folder: Path, change: Callable[[Any], None] | None = None, rows: int | None = None) -> Any:
    """Write a tokenizer of bytes, and a configuration with so many embeddings."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({word: number for number, word in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")
    if change:
        change(tokenizer)
    tokenizer.save_pretrained(folder)
    LlamaConfig(
        vocab_size=rows or len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
    ).save_pretrained(folder)
    return tokenizer


def test_words_without_embeddings_are_refused(tmp_path: Path) -> None:
    """Added words and the end must have some; marks of images that no text holds need none."""
    save(tmp_path, lambda tokenizer: tokenizer.add_tokens(["Prado", "programa"]), rows=257)
    with pytest.raises(BaseModelError, match=r"2 tokens.*Prado is number 257.*has 257"):
        check_base(tmp_path, PROMPT, "auto")
    save(tmp_path, rows=256)
    with pytest.raises(BaseModelError, match=r"1 tokens.*eos_token </s> is number 256"):
        check_base(tmp_path, PROMPT, "auto")

    def with_image(tokenizer: Any) -> None:
        tokenizer.add_special_tokens({"extra_special_tokens": ["<image>"]})

    save(tmp_path, with_image, rows=257)
    check_base(tmp_path, PROMPT, "auto")
    save(tmp_path, rows=320)
    check_base(tmp_path, PROMPT, "auto")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('needs a system message') }}", "needs a system message"),
        ("{% for m in messages %}{{ m.content }}", "does not accept a user message"),
        ("{{ documents[0].title }}{{ messages[0]['content'] }}", "does not accept a user message"),
        ("{% for c in messages[0]['content'] %}{{ c['text'] }}{% endfor %}", "omits the context"),
        ("{{ messages[0]['content'][:40] }}", "omits the question"),
        ("{{ strftime_now('%d %b %Y') }} {{ messages[0]['content'] }}", "writes today's date"),
        (None, "chat template is missing"),
    ],
)
def test_templates_that_cannot_be_used_are_refused(
    tmp_path: Path, template: str | None, message: str
) -> None:
    """They raise, miss something, leave out what they are given, or change from day to day."""
    save(tmp_path, lambda tokenizer: setattr(tokenizer, "chat_template", template))
    with pytest.raises(DataError, match=rf"prompt.chat: .*{message}"):
        check_base(tmp_path, chat(), "auto")
    # unless nobody asks for it
    assert check_base(tmp_path, PROMPT, "auto") is None


def test_what_a_template_takes_is_a_setting(tmp_path: Path) -> None:
    """A date that stays, no thinking; another prompt has another hash."""
    dated = "{{ date_string or strftime_now('%d') }}{{ think }}" + USUAL
    save(tmp_path, lambda tokenizer: setattr(tokenizer, "chat_template", dated))
    with pytest.raises(DataError, match="date_string: 26 Jul 2024"):
        check_base(tmp_path, chat(), "auto")
    one = check_base(tmp_path, chat(date_string="26 Jul 2024"), "auto")
    assert one == check_base(tmp_path, chat(date_string="26 Jul 2024"), "auto")
    assert one != check_base(tmp_path, chat(date_string="26 Jul 2024", think="no"), "auto")
    tokenizer = load_tokenizer(tmp_path)
    asked = encode_prompt(tokenizer, chat(date_string="1 May", think="off"), "Sim.", "Onde?")
    assert tokenizer.decode(asked) == "1 Mayoff<u>Sim.\nOnde?\n</u><a>"


@pytest.mark.parametrize(
    ("targets", "unknown"),
    [
        (("q_proj", "v_proj"), None),
        (("layers.0.self_attn.q_proj",), None),
        (("q_proj", "c_attn"), "c_attn"),
        (("proj",), "proj"),
        ("all-linear", None),
        ("auto", None),
    ],
)
def test_names_of_no_module_are_refused(
    tmp_path: Path, targets: str | tuple[str, ...], unknown: str | None
) -> None:
    """Peft takes one that fits as enough, and says nothing of the others."""
    save(tmp_path)
    if unknown is None:
        check_base(tmp_path, PROMPT, targets)
    else:
        with pytest.raises(BaseModelError, match=rf"target_modules: {unknown}: the model has no"):
            check_base(tmp_path, PROMPT, targets)
