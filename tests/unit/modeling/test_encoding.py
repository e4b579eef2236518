"""From questions to tokens."""

import json
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.commands import ROOT
from vestibular.core.errors import DataError
from vestibular.core.questions import Question
from vestibular.core.settings import PromptSettings
from vestibular.data.audit import audit
from vestibular.data.squad import read_squad
from vestibular.modeling.encoding import (
    encode_answer,
    encode_for_answering,
    encode_for_training,
    encode_prompt,
    render,
    windows,
)
from vestibular.params.project import load_params
from vestibular.scoring.normalization import Normalization

PROMPT = load_params(ROOT / "params.yaml").prompt
SHORT = PromptSettings(template="C {context} Q {question} A", answer_prefix=" ", chat=False)


class Letters:
    """A tokenizer with one token a letter."""

    eos_token_id = 0

    def __call__(self, text: str, add_special_tokens: bool = True) -> Any:
        return {"input_ids": [ord(letter) for letter in text]}


def asked(context: str, question: str, answer: str) -> Question:
    return Question("1", "t", context, question, (answer,), (context.find(answer),))


def test_braces_in_texts_mean_nothing() -> None:
    """A context that holds a placeholder is left as it is."""
    text = render(SHORT, "a {question} b {context}", "q {context}?")
    assert text == "C a {question} b {context} Q q {context}? A"
    flipped = PromptSettings(template="{question}|{context}", answer_prefix="", chat=False)
    assert render(flipped, "c {question}", "q {context}") == "q {context}|c {question}"


@given(st.integers(0, 80), st.integers(1, 8), st.integers(25, 120))
def test_a_long_context_is_cut_around_the_answer(before: int, length: int, limit: int) -> None:
    """Question and answer stay whole, the answer stays in the context, nothing fits better."""
    answer = "X" * length
    question = asked("a" * before + answer + "b" * 40, "qu?", answer)
    encoded = encode_for_training(Letters(), SHORT, question, limit)
    assert encoded.length <= limit
    assert encoded.answer == (*map(ord, " " + answer), 0)
    text = "".join(map(chr, encoded.prompt))
    assert text == render(SHORT, encoded.context, "qu?")
    assert encoded.context in question.context
    assert encoded.shortened == (encoded.context != question.context)
    room = limit - len(encoded.answer) - len(render(SHORT, "", "qu?"))
    assert len(encoded.context) == min(room, len(question.context))
    if room >= length:
        assert answer in encoded.context


@given(
    st.text("ab \n", min_size=1, max_size=300).filter(str.strip),
    st.integers(30, 120),
    st.sampled_from([0, 0.25, 0.5, 0.9]),
)
@example("a" * 21, 30, 0)
def test_windows_hold_the_whole_context(context: str, limit: int, overlap: float) -> None:
    """Every letter of a long context stands in a window, in order, and each window fits."""
    # each letter another one, so that a window can stand in one place alone
    context = "".join(
        letter if letter.isspace() else chr(ord("Ā") + place)
        for place, letter in enumerate(context)
    )
    question = asked(context, "qu?", "")
    ((*pieces,),) = encode_for_answering(Letters(), SHORT, [question], limit, overlap)
    assert all(len(piece.prompt) <= limit for piece in pieces)
    assert all(piece.context in context for piece in pieces)
    if len(pieces) == 1 and not pieces[0].shortened:
        assert pieces[0].context == context
        return
    covered, start = [False] * len(context), 0
    for piece in pieces:
        start = context.index(piece.context, start)
        covered[start : start + len(piece.context)] = [True] * len(piece.context)
    assert all(done or letter.isspace() for done, letter in zip(covered, context, strict=True))


def test_the_end_of_a_word_that_no_window_holds_is_asked_about() -> None:
    """A link, in a prompt that leaves few tokens: its last letters may be the answer."""
    link = "abcdefghijklmnopqrst"
    pieces = windows(Letters(), f"Em {link} há {link.upper()}.", 8, 0)
    assert "".join(pieces).replace(" ", "") == f"Em{link}há{link.upper()}."
    assert all(len(piece) <= 8 for piece in pieces)


def test_windows_overlap_by_the_fraction_that_is_asked_for() -> None:
    """Ten words a window, half of them the last ones of the window before."""
    words = [f"w{number:02}" for number in range(30)]
    pieces = windows(Letters(), " ".join(words), len("w00 ") * 10, 0.5)
    assert [piece.split()[0] for piece in pieces] == ["w00", "w05", "w10", "w15", "w20"]
    assert pieces[-1].split()[-1] == "w29"


def test_questions_of_a_context_share_its_windows() -> None:
    """Windows of questions that differ by a few tokens in length are the same texts."""
    context = " ".join(f"palavra{number}" for number in range(60))
    short, long = asked(context, "Quem?", "p"), asked(context, "Quem foi?", "p")
    first, second = encode_for_answering(Letters(), SHORT, [short, long], 213, 0.25)
    assert len(first) > 1
    assert [piece.context for piece in first] == [piece.context for piece in second]


def test_a_context_without_spaces_is_cut_all_the_same() -> None:
    """A language without spaces has no words to keep whole."""
    question = asked("x" * 500, "q", "x")
    (pieces,) = encode_for_answering(Letters(), SHORT, [question], 100, 0.25)
    assert len(pieces) > 5


def test_windows_of_scripts_without_spaces_end_at_any_character() -> None:
    """A window takes all that fits, and a mark stays with its character."""
    chinese = "北京大学创办于一八九八年" * 8
    pieces = windows(Letters(), chinese, 30, 0)
    assert [len(piece) for piece in pieces] == [30, 30, 30, 6]
    thai = "ที่นี่" * 12
    for piece in windows(Letters(), thai, 10, 0):
        assert not unicodedata.combining(piece[0])
        assert len(piece) == 9


def test_a_question_that_cannot_fit_is_refused() -> None:
    """The question is never cut, neither in training nor in the exam."""
    question = asked("abc", "q" * 50, "a")
    with pytest.raises(DataError, match="even without a context"):
        encode_for_training(Letters(), SHORT, question, limit=20)
    with pytest.raises(DataError, match="even without a context"):
        encode_for_answering(Letters(), SHORT, [question], limit=20, overlap=0)


class Chatting(Letters):
    """A tokenizer that was taught to chat, and that ends every plain text."""

    chat_template = "there is one"
    eos_token_id = ord("$")

    def __call__(self, text: str, add_special_tokens: bool = True) -> Any:
        return {"input_ids": [ord(letter) for letter in text + "$" * add_special_tokens]}

    def apply_chat_template(self, conversation: Any, **options: Any) -> str:
        assert options == {"add_generation_prompt": True, "tokenize": False}
        (message,) = conversation
        return f"<{message['role']}>{message['content']}<bot>"


def test_a_chat_model_is_asked_by_its_own_template() -> None:
    """The prompt is the user's message; the tokenizer adds nothing to the template's text."""
    chat = SHORT.model_copy(update={"chat": True})
    ids = encode_prompt(Chatting(), chat, "c", "q")
    assert "".join(map(chr, ids)) == "<user>C c Q q A<bot>"
    with pytest.raises(DataError, match=r"prompt\.chat: .* no chat template"):
        encode_prompt(Letters(), chat, "c", "q")


def test_a_tokenizers_own_end_does_not_end_the_prompt() -> None:
    """Behind an end-of-sequence token nobody would answer."""
    assert "".join(map(chr, encode_prompt(Chatting(), SHORT, "c", "q"))) == "C c Q q A"


def test_faquads_prompts_with_gpt2(faquad: Path, gpt2_tokenizer: Any) -> None:
    """FaQuAD's training prompts with their answers: mean 369 tokens, 95 % 538, longest 810."""
    path = faquad / "train.json"
    questions, _ = audit(read_squad(path).records, path, None, Normalization())
    encoded = [encode_for_training(gpt2_tokenizer, PROMPT, q, 1024) for q in questions]
    lengths = [question.length for question in encoded]
    assert round(np.mean(lengths)) == 369
    assert round(np.percentile(lengths, 95)) == 538
    assert max(lengths) == 810
    assert not any(question.shortened for question in encoded)
    assert all(question.answer[-1] == gpt2_tokenizer.eos_token_id for question in encoded)
    # what the model should write after the prompt reads as the answer itself
    for question, row in zip(encoded, questions, strict=True):
        assert gpt2_tokenizer.decode(question.answer[:-1]) == " " + row.answers[0]


@pytest.mark.slow
@pytest.mark.parametrize("opens", [True, False])
def test_a_byte_fallback_tokenizer_without_padding_serves(opens: bool) -> None:
    """Letters outside the vocabulary survive; an opening token stands once, before the prompt."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    vocabulary = ["<s>", "</s>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "a", "n"]
    backend = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            {token: place for place, token in enumerate(vocabulary)},
            [],
            unk_token="<unk>",
            byte_fallback=True,
        )
    )
    backend.decoder = tokenizers.decoders.Sequence(
        [tokenizers.decoders.ByteFallback(), tokenizers.decoders.Fuse()]
    )
    if opens:
        backend.post_processor = tokenizers.processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", bos_token="<s>" if opens else None
    )
    encoded = encode_for_training(tokenizer, SHORT, asked("A ação é ã.", "Qué?", "ação"), 200)
    assert (encoded.prompt[0] == 0) is opens
    assert encoded.prompt.count(0) == opens
    assert tokenizer.decode(encoded.prompt, skip_special_tokens=True) == "C A ação é ã. Q Qué? A"
    assert tokenizer.decode(encoded.answer[:-1]) == " ação"
    assert encoded.answer[-1] == 1


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [False, True])
def test_blanks_of_an_answer_come_back(
    gpt2_tokenizer_folder: Path, tmp_path: Path, wanted: bool
) -> None:
    """Before marks and apostrophes too, whether or not the tokenizer says to clean them up."""
    from vestibular.examination.windowed_answers import answer_text
    from vestibular.modeling.answers import Answer
    from vestibular.modeling.models import load_tokenizer

    folder = Path(shutil.copytree(gpt2_tokenizer_folder, tmp_path / "tokenizer"))
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    config |= {"clean_up_tokenization_spaces": wanted, "tokenizer_class": "GPT2Tokenizer"}
    path.write_text(json.dumps(config), encoding="utf-8")
    tokenizer = load_tokenizer(folder)
    for text in ("Rua 7 , casa 2", "they can not , we 've", "quem ?", "f (x) = x !", "a . b"):
        tokens = encode_answer(tokenizer, SHORT, text)
        assert answer_text(tokenizer, Answer(tokens[:-1], 0.0)) == text
