"""What a base model's tokenizer, chat template and modules must be able to do, before any training.

Its files have been looked at (see `core/unusable_bases.py`); its weights are not read here.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from vestibular.core.errors import BaseModelError, DataError, first_line
from vestibular.modeling.encoding import apply_chat_template, render
from vestibular.modeling.miniature import skeleton
from vestibular.modeling.models import configuration, load_tokenizer
from vestibular.modeling.targets import Targets, unknown_names

if TYPE_CHECKING:
    from vestibular.core.settings import PromptSettings

CONTEXT, QUESTION = "Farol fica em Vila Rica 1729.", "Onde fica Farol 6174?"
"""What a chat template is tried with."""
TEMPLATE_ERRORS = (TemplateError, TypeError, ValueError, AttributeError, LookupError)
"""What a chat template raises: its own refusal, or what is wrong with it."""


def check_base(folder: Path, prompt: "PromptSettings", targets: Targets) -> str | None:
    """Make sure that a base model can be asked and taught as the settings say.

    Args:
        folder: the model's files.
        prompt: how a question is put.
        targets: `train.lora.target_modules`; `auto` if all weights are trained.

    Returns:
        the SHA-256 of what the chat template makes of one question; None without one.

    Raises:
        BaseModelError: the tokenizer has words that the model has no embeddings for, or the model
            has no modules of some of the names.
        DataError: the chat template cannot be used, leaves out what it is given, or writes
            today's date.
    """
    tokenizer, config = load_tokenizer(folder), configuration(folder)
    _check_vocabulary(folder, tokenizer, config)
    if unknown := unknown_names(skeleton(config), targets):
        raise BaseModelError(
            f"{folder}: train.lora.target_modules: {', '.join(unknown)}: the model has no modules "
            "of that name; `vestibular plan` shows what `auto` takes"
        )
    if not prompt.chat:
        return None
    return hashlib.sha256(_written(folder, tokenizer, prompt).encode()).hexdigest()


def _check_vocabulary(folder: Path, tokenizer: Any, config: Any) -> None:
    """Compare the ids that texts can be made of with the embeddings."""
    rows = config.get_text_config(decoder=True).vocab_size
    added = tokenizer.added_tokens_decoder
    # special ones for images and the like are not made of any text, and some models have no
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
            f"for: {of_texts[missing[0]]} is number {missing[0]:,}, and the model has {rows:,}; "
            "take the tokenizer that the model was trained with, or call "
            "model.resize_token_embeddings(len(tokenizer)) and save the model again"
        )


def _written(folder: Path, tokenizer: Any, prompt: "PromptSettings") -> str:
    """Return what the chat template makes of a question, having looked at it closely."""
    text = render(prompt, CONTEXT, QUESTION)
    name = f"{folder}: prompt.chat: the model's chat template"
    elsewhere = "correct the template (chat_template.jinja in that folder), or write chat: false"
    if not getattr(tokenizer, "chat_template", None):
        raise DataError(f"{name} is missing; write chat: false")
    try:
        written = apply_chat_template(tokenizer, prompt, text)
    except TEMPLATE_ERRORS as error:
        raise DataError(
            f"{name} does not take a user's message ({first_line(error)}); give it what it asks "
            f"for as prompt.chat_template_kwargs, {elsewhere}"
        ) from None
    for kind, part in (("context", CONTEXT), ("question", QUESTION)):
        if part not in written:
            raise DataError(f"{name} leaves out the {kind}; {elsewhere}")
    if _reads_the_clock(tokenizer, prompt, text, written):
        raise DataError(
            f"{name} writes today's date, so that each day's prompt would be another; give it a "
            "date that stays, such as prompt.chat_template_kwargs: {date_string: 26 Jul 2024}, if "
            f"it takes one; else {elsewhere}"
        )
    return written


def _reads_the_clock(tokenizer: Any, prompt: "PromptSettings", text: str, written: str) -> bool:
    """Say whether a template asks for the date: without the function for it, it cannot."""
    try:
        return apply_chat_template(tokenizer, prompt, text, strftime_now="no function") != written
    except TEMPLATE_ERRORS:
        return True
