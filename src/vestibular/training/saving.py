"""Saving of a trained model, and the check that it is the same when loaded again."""

import contextlib
import errno
import gc
import json
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from peft.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from vestibular.core.base_models import Pin
from vestibular.core.errors import BaseModelError, first_line, out_of_memory
from vestibular.core.files import to_json
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.miniature import miniature
from vestibular.modeling.models import ADAPTER_FILE, load_adapter
from vestibular.modeling.tensors import logits_at
from vestibular.training.adapters import REFUSALS, add_adapter
from vestibular.training.settings import LoraSettings

CHANGES_THE_BASE = ("olora", "pissa")
"""Initializations that take the adapter's initial values out of the base's weights."""
EXACT, ROUNDED = 1e-4, 0.1
"""Largest difference of outputs attributed to rounding, relative to the largest output: in float32,
and in lower precision or with quantized weights."""

INNER_WIDTH = 256
"""Width of feed-forward blocks in a rehearsal."""

Start = dict[str, Tensor]
"""Initial values of an adapter that were subtracted from its base."""


@contextlib.contextmanager
def translate_write_errors(folder: Path) -> Iterator[None]:
    """Turn errors of safetensors and torch about a failed write back into the system's error.

    Raises:
        OSError: a file below `folder` could not be written.
    """
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(folder)) from None
    except RuntimeError as error:
        # torch hides the system's error
        if "PytorchStreamWriter" not in str(error) and "inline_container" not in str(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from None


def starting_point(model: Any) -> Start | None:
    """Return an adapter's initial values if its base was changed for them, else None.

    Call it before the training. On an unchanged base, the adapter is the difference to these
    values.
    """
    if not isinstance(model, PeftModel):
        return None
    config: Any = model.peft_config["default"]
    if not str(config.init_lora_weights).lower().startswith(CHANGES_THE_BASE):
        return None
    saved = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: tensor.detach().clone().contiguous() for name, tensor in saved.items()}


def save_trained(
    model: Any, tokenizer: Any, pin: Pin, folder: Path, start: Start | None = None
) -> None:
    """Write the adapter, or all weights if all were trained, and the tokenizer.

    Equal weights give equal files on any machine.

    Args:
        model: the trained model.
        tokenizer: the base's tokenizer.
        pin: the base.
        folder: the target folder.
        start: result of `starting_point`.
    """
    with translate_write_errors(folder):
        if isinstance(model, PeftModel):
            config = model.peft_config["default"]
            config.base_model_name_or_path, config.revision = pin.base_model, pin.revision
            save_adapter(model, folder, start)
        else:
            model.save_pretrained(folder)
    # peft's card contains the versions and paths of this run
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / ADAPTER_FILE
    if path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
        for key, value in content.items():
            # a set, whose order changes between processes
            if isinstance(value, list) and all(isinstance(each, str) for each in value):
                content[key] = sorted(value)
        path.write_text(to_json(dict(sorted(content.items()))), encoding="utf-8")
    tokenizer.save_pretrained(folder)


def save_adapter(model: PeftModel, folder: Path, start: Start | None) -> None:
    """Write an adapter for the unchanged base; one that changed its base is written twice as wide.

    Loaded unchanged, it would modify the base again, with other values if these are random.
    """
    # "auto" would ask the hub whether the vocabulary has changed
    options: dict[str, Any] = {"save_embedding_layers": False}
    if start is None:
        model.save_pretrained(str(folder), **options)
        return
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        # the warning is that the base has been changed, which is undone here
        warnings.simplefilter("ignore", UserWarning)
        first = Path(temporary, "start")
        first.mkdir()
        save_file(start, first / SAFETENSORS_WEIGHTS_NAME)
        options["path_initial_model_for_weight_conversion"] = str(first)
        model.save_pretrained(str(folder), **options)


def outputs(model: Any, question: EncodedQuestion) -> Tensor:
    """Return a model's logits for an example's answer, (tokens, vocabulary), as in the exam."""
    ids = torch.tensor([question.prompt + question.answer], device=model.device)
    columns = torch.arange(len(question.prompt) - 1, ids.shape[1] - 1, device=model.device)
    model.eval()
    with torch.no_grad():
        logits, _ = logits_at(model, torch.zeros_like(columns), columns, input_ids=ids)
    return logits.float().cpu()


def check_reloaded(
    expected: Tensor,
    question: EncodedQuestion,
    folder: Path,
    load_base: Callable[[], Any],
    start: Start | None,
) -> None:
    """Check that a saved adapter gives the same outputs as the trained one.

    Args:
        expected: the trained model's `outputs`.
        question: the example for these outputs.
        folder: the saved adapter.
        load_base: loads its base.
        start: result of `starting_point`.

    Raises:
        BaseModelError: the outputs differ.
    """
    # two models at a time may exceed the memory
    gc.collect()
    base = load_base()
    exact = base.dtype == torch.float32 and not getattr(base, "is_quantized", False)
    found = outputs(load_adapter(base, folder), question)
    error = float((found - expected).abs().max() / expected.abs().max())
    if not error <= (EXACT if exact else ROUNDED):
        raise BaseModelError(
            "train.lora.options: the saved adapter is not the one that was trained: after "
            f"loading, its outputs differ by {error:.2g} of the largest one"
            + (
                "; on a base in lower precision use another init_lora_weights"
                if start is not None
                else ""
            )
        )


def rehearse_saving(config: Any, lora: LoraSettings) -> None:
    """Check on a small model that an adapter with these options can be saved and loaded.

    Args:
        config: the base model's configuration.
        lora: settings of the adapter.

    Raises:
        BaseModelError: peft refuses the options, a model with them does not run, or the adapter
            differs after loading.
    """
    if not lora.options:
        return
    tokens = tuple(range(10, 40))
    example = EncodedQuestion("", tokens[:20], tokens[20:], "", False)
    try:
        with (
            tempfile.TemporaryDirectory() as temporary,
            torch.random.fork_rng(devices=[]),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            model = add_adapter(miniature(config, INNER_WIDTH, 1), lora, "none")
            start = starting_point(model)
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.data.add_(torch.randn_like(parameter), alpha=0.02)
            expected = outputs(model, example)
            save_adapter(model, Path(temporary), start)
            check_reloaded(
                expected,
                example,
                Path(temporary),
                lambda: miniature(config, INNER_WIDTH, 1),
                start,
            )
    except REFUSALS as error:
        if out_of_memory(error):
            raise
        raise BaseModelError(
            f"train.lora.options: {lora.options}: an adapter with these options does not work on "
            f"this architecture ({first_line(error)})"
        ) from error
