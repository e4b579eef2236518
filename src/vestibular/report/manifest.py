"""The description in a candidate's model folder: base, loading, prompt, scores, data."""

from vestibular.core.base_models import Pin
from vestibular.core.files import file_sha256
from vestibular.core.model_file import Loading, ModelFile, PinnedVersion
from vestibular.core.paths import PREPARED
from vestibular.params.project import Params
from vestibular.selection.stage_results import CandidateResult


def describe_model(params: Params, name: str, pin: Pin, result: CandidateResult) -> ModelFile:
    """Return the description of a candidate's model.

    Args:
        params: all settings.
        name: the candidate.
        pin: its base model.
        result: its training and exam.
    """
    train = params.candidate(name).train
    return ModelFile(
        candidate=name,
        base=PinnedVersion(**pin.as_json()),
        loading=Loading(
            method=train.method,
            quantization=train.quantization,
            precision=train.precision,
            arithmetic=train.arithmetic,
            max_length=train.max_length,
        ),
        prompt=params.prompt,
        max_new_tokens=params.evaluate.max_new_tokens,
        window_overlap=params.evaluate.window_overlap,
        unanswerable=params.data.unanswerable,
        seed=params.seed,
        train=train.model_dump(mode="json"),
        before=result.base_scores,
        after=result.details.scores,
        data={path.name: file_sha256(path) for path in sorted(PREPARED.glob("*.jsonl"))},
    )
