"""Pre-trains one base model on plain documents.

Run as `python -m pretrain gpt2-mini` in this folder. One thread and a fixed number of steps: the
same machine writes the same bytes again.
"""

import argparse
import random
from pathlib import Path

import torch
from batches import IGNORED, Batch, draw_batches
from corpus import Corpus
from facts import load_kinds
from initialisation import build_model
from names import NameMaker, load_names
from settings import DEMO, BaseSettings, CorpusSettings, Settings, load_settings
from tokenizer import PROMPT_WORDS, train_tokenizer
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerFast

_WARM_UP_STEPS = 60
_DECAY_SHARE = 0.6
_LOWEST_RATE = 0.01
_WEIGHT_DECAY = 0.05
_MAXIMAL_NORM = 1.0


def main() -> None:
    """Pre-trains the base named on the command line and saves it."""
    settings = load_settings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", choices=list(settings.bases))
    name = parser.parse_args().base
    torch.set_num_threads(1)
    base = settings.bases[name]
    tokenizer = make_tokenizer(settings, base)
    model = build_model(base, tokenizer)
    pretrain(model, tokenizer, base, settings.corpus, name)
    save(model, tokenizer, DEMO / "bases" / name)


def make_corpus(settings: CorpusSettings, seed: str) -> Corpus:
    """Builds a corpus of the training words."""
    names = NameMaker(
        load_names(DEMO / "names.yaml", "train"),
        random.Random(seed),
        settings.invented_share,
        settings.coined_share,
        settings.spliced_share,
    )
    return Corpus(settings, load_kinds(DEMO / "facts.yaml"), names)


def make_tokenizer(settings: Settings, base: BaseSettings) -> PreTrainedTokenizerFast:
    """Trains the tokenizer of a base on pre-training documents and the prompt's fixed words."""
    corpus = make_corpus(settings.corpus, f"tokenizer-{settings.tokenizer.seed}")
    texts = [corpus.draw_text().text for _ in range(settings.tokenizer.documents)]
    texts += [PROMPT_WORDS] * settings.tokenizer.prompts
    return train_tokenizer(texts, settings.tokenizer.vocabulary, base.architecture, base.positions)


def pretrain(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    base: BaseSettings,
    corpus_settings: CorpusSettings,
    name: str,
) -> None:
    """Trains a model, showing a bar with the loss and the share of values looked up rightly."""
    optimizers = make_optimizers(model, base)
    schedulers = [
        torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(step, base.steps)
        )
        for optimizer in optimizers
    ]
    corpus = make_corpus(corpus_settings, f"pretrain-{base.seed}")
    batches = draw_batches(corpus, tokenizer, base.steps, base.batch_size, random.Random(base.seed))
    model.train()
    loss_mean, found_mean = 0.0, 0.0
    bar = tqdm(batches, desc=name, total=base.steps, mininterval=2.0)
    for step, batch in enumerate(bar):
        logits = model(input_ids=batch.tokens).logits[:, :-1]
        loss = weighted_loss(logits, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), _MAXIMAL_NORM)
        for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        keep = min(0.98, step / (step + 1))
        loss_mean = keep * loss_mean + (1 - keep) * loss.item()
        found_mean = keep * found_mean + (1 - keep) * share_found(logits, batch)
        bar.set_postfix(loss=f"{loss_mean:.3f}", found=f"{found_mean:.3f}", refresh=False)
    model.eval()


def make_optimizers(model: PreTrainedModel, base: BaseSettings) -> list[torch.optim.Optimizer]:
    """Gives the matrices inside the layers to Muon and everything else to AdamW.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
    https://kellerjordan.github.io/posts/muon/
    """
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        inside = parameter.ndim == 2 and not any(
            part in name for part in ("wte", "wpe", "embed", "lm_head")
        )
        (matrices if inside else others).append(parameter)
    return [
        torch.optim.Muon(matrices, lr=base.matrix_learning_rate, weight_decay=_WEIGHT_DECAY),
        torch.optim.AdamW(others, lr=base.learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def learning_rate_factor(step: int, steps: int) -> float:
    """Rises linearly, stays at one, and falls linearly over the last part of the steps."""
    rise = min(1.0, (step + 1) / _WARM_UP_STEPS)
    fall = min(1.0, (1 - step / steps) / _DECAY_SHARE)
    return max(_LOWEST_RATE, rise * fall)


def weighted_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of the next tokens, averaged with the batch's weights.

    Args:
        logits: `(batch, sequence - 1, vocabulary)`.
        batch: Labels and weights.
    """
    losses = functional.cross_entropy(
        logits.flatten(0, 1),
        batch.labels[:, 1:].flatten(),
        reduction="none",
        ignore_index=IGNORED,
    )
    weights = batch.weights[:, 1:].flatten()
    return (losses * weights).sum() / weights.sum()


@torch.no_grad()
def share_found(logits: Tensor, batch: Batch) -> float:
    """Share of the values whose first token is the likeliest: a fraction in [0, 1]."""
    lookups = batch.lookups[:, 1:]
    right = logits.argmax(-1) == batch.labels[:, 1:]
    return (right & lookups).sum().item() / max(1, lookups.sum().item())


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes the model and its tokenizer as `from_pretrained` reads them."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
