"""Contexts that are far too long for the model: every window is asked, the best answer wins."""

from typing import Any

import pytest

from tests.unit.modeling.test_encoding import SHORT, Letters, asked
from vestibular.modeling.encoding import encode_for_answering

pytestmark = pytest.mark.slow

LIMIT = 512
KEY, STOP = "§", "."


@pytest.fixture(scope="module")
def copying_model() -> Any:
    """A model that copies what stands between the key and the stop, if it can see the key.

    It is sure of itself then, and unsure otherwise; it keeps what it has seen where a real
    model keeps its keys and values.
    """
    import torch
    from torch import nn
    from transformers import GenerationConfig, GPT2Config
    from transformers.modeling_outputs import CausalLMOutputWithPast

    class Copying(nn.Module):
        device, dtype = torch.device("cpu"), torch.float32
        config, generation_config = GPT2Config(), GenerationConfig()

        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Identity()

        def get_output_embeddings(self) -> nn.Module:
            return self.head

        def forward(
            self, input_ids: Any, attention_mask: Any, past_key_values: Any, **_: Any
        ) -> Any:
            ids = input_ids[:, None, :, None].float()
            everything, _ = past_key_values.update(ids, ids, 0)
            logits = torch.zeros(*input_ids.shape, 256)
            for row, tokens in enumerate(everything[:, 0, :, 0].long().tolist()):
                for column in range(input_ids.shape[1]):
                    if attention_mask.ndim == 2:
                        continue
                    seen = (attention_mask[row, 0, column] == 0).tolist()
                    text = [token for token, there in zip(tokens, seen, strict=True) if there]
                    logits[row, column] = self.next(text)
            return CausalLMOutputWithPast(logits=self.head(logits), past_key_values=past_key_values)

        def next(self, text: list[int]) -> Any:
            prompt = len(text) - text[::-1].index(ord("A"))
            written = text[prompt:]
            logits = torch.zeros(256)
            if ord(KEY) not in text:
                # a lame guess, ended at once
                logits[ord("?") if not written else 0] = 1
                return logits
            place = text.index(ord(KEY)) + 1 + len(written)
            logits[text[place] if text[place] != ord(STOP) else 0] = 20
            return logits

    return Copying().eval()


class Readable(Letters):
    """Letters that can be read back."""

    def decode(self, tokens: Any, **_: Any) -> str:
        return "".join(map(chr, tokens))


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_an_answer_in_any_window_is_found(copying_model: Any, place: str) -> None:
    """5,000 tokens, the answer in one window: it is found, though nobody looked where it is."""
    from vestibular.examination.windowed_answers import answer_text, ask

    filler = "palavra " * 620
    secret = f"o segredo é {KEY}bem guardado{STOP} "
    context = {
        "first": secret + filler,
        "middle": filler[:2400] + secret + filler[2400:],
        "last": filler + secret,
    }[place]
    assert len(context) > 4900
    question = asked(context, "Qual?", "bem guardado")
    encoded = encode_for_answering(Readable(), SHORT, [question], LIMIT - 20, 0.25)
    assert len(encoded[0]) > 9
    (answer,) = ask(copying_model, Readable(), encoded, 20, 4 * LIMIT, "shared", None)
    assert answer_text(Readable(), answer) == "bem guardado"
    # the last window alone holds it there
    if place == "last":
        assert [KEY in window.context for window in encoded[0]].index(True) == len(encoded[0]) - 1


def test_a_window_that_finds_nothing_gives_way(copying_model: Any) -> None:
    """Where a text stands for no answer, it wins only if all windows say it."""
    from vestibular.examination.windowed_answers import answer_text, ask

    question = asked("palavra " * 200, "Qual?", "x")
    nothing = encode_for_answering(Readable(), SHORT, [question], LIMIT - 20, 0.25)
    (answer,) = ask(copying_model, Readable(), nothing, 20, 4 * LIMIT, "shared", "?")
    assert answer_text(Readable(), answer) == "?"
