"""Checks of a base model's tokenizer, chat template and modules before any training.

Its files have been checked before (see `core/unusable_bases.py`); its weights are not read here.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from vestibular.core.errors import BaseModelError, DataError, first_line
from vestibular.modeling.encoding import apply_chat_template, render
from vestibular.modeling.miniature import skeleton
from vestibular.modeling.models import load_configuration, load_tokenizer
from vestibular.modeling.targets import Targets, unknown_names

if TYPE_CHECKING:
    from vestibular.core.settings import PromptSettings

CONTEXT, QUESTION = "Farol fica em Vila Rica 1729.", "Onde fica Farol 6174?"
"""Texts for trying out a chat template."""
TEMPLATE_ERRORS = (TemplateError, TypeError, ValueError, AttributeError, LookupError)
"""Errors of a chat template: its own refusal, or a fault in it."""


def check_base(folder: Path, prompt: "PromptSettings", targets: Targets) -> str | None:
    """Check that a base model can be asked and trained as the settings say.

    Args:
        folder: the model's files.
        prompt: how a question is put.
        targets: `train.lora.target_modules`; `auto` if all weights are trained.

    Returns:
        SHA-256 of one question rendered by the chat template; None without a template.

    Raises:
        BaseModelError: the tokenizer has tokens without an embedding in the model, or the model
            lacks modules of some of the names.
        DataError: the chat template cannot be used, omits its input, or writes today's date.
    """
    tokenizer, config = load_tokenizer(folder), load_configuration(folder)
    _check_vocabulary(folder, tokenizer, config)
    if unknown := unknown_names(skeleton(config), targets):
        raise BaseModelError(
            f"{folder}: train.lora.target_modules: {', '.join(unknown)}: the model has no modules "
            "of that name; `vestibular plan` shows what `auto` selects"
        )
    if not prompt.chat:
        return None
    return hashlib.sha256(_written(folder, tokenizer, prompt).encode()).hexdigest()


def _check_vocabulary(folder: Path, tokenizer: Any, config: Any) -> None:
    """Compare the token ids of texts with the embeddings."""
    rows = config.get_text_config(decoder=True).vocab_size
    added = tokenizer.added_tokens_decoder
    # special tokens for images and the like do not occur in texts, and some models have no
    # embeddings for them
    of_texts = {
        number: word
        for word, number in tokenizer.get_vocab().items()
        if number not in added or not added[number].special
    }
    of_texts |= {
        number: f"{name} {tokenizer.convert_ids_to_tokens(number)}"
        for name in ("bos_token", "eos_token")
        if (number := getattr(tokenizer, f"{name}_id")) is not None
    }
    if missing := sorted(number for number in of_texts if number >= rows):
        raise BaseModelError(
            f"{folder}: the tokenizer has {len(missing)} tokens that the model has no embeddings "
            f"for: {of_texts[missing[0]]} is number {missing[0]:,}, but the model has {rows:,} "
            "embeddings; use the tokenizer that the model was trained with, or call "
            "model.resize_token_embeddings(len(tokenizer)) and save the model again"
        )


def _written(folder: Path, tokenizer: Any, prompt: "PromptSettings") -> str:
    """Return a question rendered by the chat template, after checking it."""
    text = render(prompt, CONTEXT, QUESTION)
    name = f"{folder}: prompt.chat: the model's chat template"
    elsewhere = "correct the template (chat_template.jinja in that folder), or write chat: false"
    if not getattr(tokenizer, "chat_template", None):
        raise DataError(f"{name} is missing; write chat: false")
    try:
        written = apply_chat_template(tokenizer, prompt, text)
    except TEMPLATE_ERRORS as error:
        raise DataError(
            f"{name} does not accept a user message ({first_line(error)}); pass the arguments it "
            f"requires as prompt.chat_template_kwargs, {elsewhere}"
        ) from None
    for kind, part in (("context", CONTEXT), ("question", QUESTION)):
        if part not in written:
            raise DataError(f"{name} omits the {kind}; {elsewhere}")
    if _reads_the_clock(tokenizer, prompt, text, written):
        raise DataError(
            f"{name} writes today's date, so that the prompt would change every day; pass it a "
            "fixed date, such as prompt.chat_template_kwargs: {date_string: 26 Jul 2024}, if "
            f"it accepts one; else {elsewhere}"
        )
    return written


def _reads_the_clock(tokenizer: Any, prompt: "PromptSettings", text: str, written: str) -> bool:
    """Return whether a template uses the current date: without the date function it fails."""
    try:
        return apply_chat_template(tokenizer, prompt, text, strftime_now="no function") != written
    except TEMPLATE_ERRORS:
        return True
