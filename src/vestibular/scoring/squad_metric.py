"""Exact match and F1 as a Hugging Face metric, defined here and not fetched from the hub."""

from typing import Any

import datasets
import evaluate

from vestibular.scoring.scoring import (
    ARTICLES,
    best,
    exact_match,
    f1,
    f1_or_nothing,
    mean,
    without_unanswerable,
)


class SquadMetric(evaluate.Metric):  # type: ignore[misc]
    """SQuAD's exact match and F1 against the best of several references.

    `config_name` is the language whose articles do not count: `pt`, `en` or `none`. `compute`
    returns both means and, in the order of the predictions, each answer's own two scores. With
    `unanswerable`, the text that stands for no answer, v2.0's rules hold, else v1.1's.
    """

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in ARTICLES:
            raise ValueError(f"articles must be one of {', '.join(ARTICLES)}: {self.config_name}")
        return evaluate.MetricInfo(
            description="Exact match and word F1 by SQuAD's rules.",
            citation="Rajpurkar et al., SQuAD: 100,000+ Questions, EMNLP 2016",
            inputs_description="predictions: texts; references: a list of texts for each",
            features=datasets.Features(
                {
                    "predictions": datasets.Value("string"),
                    "references": datasets.Sequence(datasets.Value("string")),
                }
            ),
        )

    def _compute(
        self,
        predictions: list[str],
        references: list[list[str]],
        unanswerable: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        pairs = list(zip(predictions, references, strict=True))
        word_f1 = f1
        if unanswerable is not None:
            word_f1 = f1_or_nothing
            pairs = [
                without_unanswerable(given, wanted, unanswerable, self.config_name)
                for given, wanted in pairs
            ]
        matches = [best(exact_match, given, wanted, self.config_name) for given, wanted in pairs]
        overlaps = [best(word_f1, given, wanted, self.config_name) for given, wanted in pairs]
        return {
            "exact_match": mean(matches),
            "f1": mean(overlaps),
            "exact_matches": matches,
            "f1s": [round(overlap, 6) for overlap in overlaps],
        }
