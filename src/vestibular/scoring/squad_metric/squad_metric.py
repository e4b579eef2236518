"""Exact match and F1 as a Hugging Face metric, defined here instead of fetched from the hub."""

from typing import Any

import datasets
import evaluate

from vestibular.scoring.languages import known_to
from vestibular.scoring.normalization import Normalization
from vestibular.scoring.scoring import (
    best,
    exact_match,
    f1,
    f1_or_nothing,
    mean,
    without_unanswerable,
)


class SquadMetric(evaluate.Metric):  # type: ignore[misc]
    """SQuAD's exact match and F1 against the best of several references.

    `config_name` is the language whose articles are dropped by SQuAD's rules (`pt`, `en` or
    `none`), or MLQA's rules for a language (`mlqa-de`). `compute` returns both means and, in the
    order of the predictions, each answer's own two scores. With `unanswerable`, the text that
    stands for no answer, v2.0's rules apply, else v1.1's. With `official`, characters are compared
    as encoded, and words are split at white space, as in the official script.
    """

    def _info(self) -> evaluate.MetricInfo:
        name, articles = self._rules()
        if name not in ("squad", "mlqa") or articles not in known_to(name):
            raise ValueError(f"{self.config_name}: no such rules or language")
        return evaluate.MetricInfo(
            description="Exact match and word F1 by SQuAD's rules.",
            citation="Rajpurkar et al., SQuAD: 100,000+ Questions, EMNLP 2016",
            inputs_description="predictions: texts; references: one list of texts per prediction",
            features=datasets.Features(
                {
                    "predictions": datasets.Value("string"),
                    "references": datasets.Sequence(datasets.Value("string")),
                }
            ),
        )

    def _rules(self) -> tuple[str, str]:
        name, _, articles = str(self.config_name).rpartition("-")
        return name or "squad", articles

    def _compute(
        self,
        predictions: list[str],
        references: list[list[str]],
        unanswerable: str | None = None,
        official: bool = False,
        **_: Any,
    ) -> dict[str, Any]:
        rules = Normalization(*self._rules(), official)
        pairs = list(zip(predictions, references, strict=True))
        word_f1 = f1
        if unanswerable is not None:
            word_f1 = f1_or_nothing
            pairs = [
                without_unanswerable(given, wanted, unanswerable, rules) for given, wanted in pairs
            ]
        matches = [best(exact_match, given, wanted, rules) for given, wanted in pairs]
        overlaps = [best(word_f1, given, wanted, rules) for given, wanted in pairs]
        return {
            "exact_match": mean(matches),
            "f1": mean(overlaps),
            "exact_matches": matches,
            "f1s": [round(overlap, 6) for overlap in overlaps],
        }
