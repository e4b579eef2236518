"""Questions in groups."""

from itertools import pairwise
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibular.core.questions import Question
from vestibular.report.slices import (
    answer_words,
    by_leak,
    by_number,
    by_position,
    by_question_word,
    context_words,
    question_word,
)
from vestibular.scoring.languages import languages


def asked(question: str = "Quem?", answer: str = "Ana", context: str = "Ana dirige.") -> Question:
    return Question("1", "t", context, question, (answer,), (context.find(answer),))


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("Quem dirige o programa?", "quem"),
        ("Por quem foi fundado?", "quem"),
        ("Até quando é possível pedir?", "quando"),
        ("Em que ano foi criada?", "quando"),
        ("Em  que\nano foi criada?", "quando"),
        ("Onde fica?", "onde"),
        ("Quantas vagas há?", "quanto"),
        ("Por quantos anos?", "quanto"),
        ("Quais são os requisitos?", "qual"),
        ("Como se inscreve?", "como"),
        ("Por que fechou?", "por que"),
        ("O que é preciso?", "o que"),
        ("Em que dias abre?", "quando"),
        ("A que se destina?", "o que"),
        ("O que diz quem reprova?", "o que"),
        ("Existe lei?", "other"),
        ("Comodato vale?", "other"),
    ],
)
def test_the_first_question_word_decides(question: str, word: str) -> None:
    """The longest form at the first place, whole words only, whatever the case."""
    assert question_word(question, "pt") == word


@pytest.mark.parametrize(
    ("question", "language", "word"),
    [
        ("北京大学是什么时候创办的", "zh", "什么时候"),
        ("谁创办了北京大学", "zh", "谁"),
        ("東京タワーはどこにありますか。", "ja", "どこ"),
        ("มหาวิทยาลัยเชียงใหม่ตั้งอยู่ที่ไหน", "th", "ที่ไหน"),
        (normalize("NFD", "Por quê?"), "pt", "por que"),
        ("Wie viele Einwohner hat Köln?", "de", "wie viel"),
        ("In welchem Jahr wurde sie gegründet?", "de", "wann"),
        ("De qui est-ce l'œuvre ?", "fr", "qui"),
        ("D'où vient-il ?", "fr", "où"),
        ("Qu'est-ce qu'un quark ?", "fr", "que"),
        ("Cos'è il gelato?", "it", "che cosa"),
        ("В каком году основан город?", "ru", "когда"),
        ("Чем занимается завод?", "ru", "что"),
        ("누가 이 책을 썼는가?", "ko", "누구"),
        ("무엇을 만들었나?", "ko", "무엇"),
        ("왜군은 어디에 상륙했나?", "ko", "어디"),
        ("राम ने किस वर्ष जन्म लिया?", "hi", "कब"),
        ("कबीर कौन थे?", "hi", "कौन"),
        ("Thành phố được thành lập năm nào?", "vi", "khi nào"),
        ("Ankara hangi yılda başkent oldu?", "tr", "ne zaman"),
        ("پایتخت ایران کجاست؟", "fa", "کجا"),
        ("Siapakah penulis buku itu?", "id", "siapa"),
        ("Hoeveel inwoners heeft Gent?", "nl", "hoeveel"),
        ("Hvor mange bor i Oslo?", "no", "hvor mange"),
        ("Hvor ligger Oslo?", "no", "hvor"),
        ("Vilket år byggdes kyrkan?", "sv", "när"),
        ("W którym roku powstał?", "pl", "kiedy"),
        ("Minä vuonna se rakennettiin?", "fi", "milloin"),
        ("في أي عام تأسست المدينة؟", "ar", "متى"),
    ],
)
def test_question_words_of_many_languages_are_found(
    question: str, language: str, word: str
) -> None:
    """Without spaces, with particles, in any encoding; the longest form counts."""
    assert question_word(question, language) == word


def test_words_without_spaces_are_counted_by_character() -> None:
    """As in scoring; a mark belongs to its character."""
    one = Question("1", "", "東京タワー is 高い。", "?", ("ที่นี่",), (-1,))
    assert context_words(one) == 5 + 1 + 3
    assert answer_words(one) == 2


def test_every_form_finds_its_own_group() -> None:
    """In each language's list no form is hidden by another one, and all are lower case."""
    for code, language in languages().items():
        for name, forms in language.question_words.items():
            for form in forms:
                assert question_word(f"{form.capitalize()}?", code) == name


def test_groups_come_in_the_order_of_the_list() -> None:
    """Empty groups are left out, and questions without a word come last."""
    parts = by_question_word([asked("Há?"), asked("Onde?"), asked("Quem?"), asked("Onde?")], "pt")
    assert [(part.label, part.members) for part in parts] == [
        ("quem", (2,)),
        ("onde", (1, 3)),
        ("other", (0,)),
    ]


def test_lengths_are_cut_into_quarters() -> None:
    """About as many in each group, equal lengths together."""
    questions = [asked(answer=" ".join("x" * count)) for count in (1, 1, 2, 3, 4, 5, 6, 9)]
    parts = by_number(questions, answer_words, "word")
    assert [(part.label, part.members) for part in parts] == [
        ("1 word", (0, 1)),
        ("2 to 3 words", (2, 3)),
        ("4 to 5 words", (4, 5)),
        ("6 to 9 words", (6, 7)),
    ]
    assert [part.label for part in by_number(questions[:2], answer_words, "word")] == ["1 word"]


@given(st.lists(st.integers(0, 9), min_size=1))
def test_every_question_is_in_one_group(numbers: list[int]) -> None:
    """None is lost or counted twice, no group is empty, and groups do not overlap."""
    questions = [asked(answer="x " * number + "x") for number in numbers]
    parts = by_number(questions, answer_words, "word")
    assert sorted(place for part in parts for place in part.members) == list(range(len(numbers)))
    values = [[numbers[place] for place in part.members] for part in parts]
    assert all(max(left) < min(right) for left, right in pairwise(values))


def test_positions_are_quarters_of_the_context() -> None:
    """The answer's first character counts; an answer that is not there has its own group."""
    context = "abcdefgh"
    parts = by_position([asked(answer=answer, context=context) for answer in ("b", "c", "h", "z")])
    assert [(part.label, part.members) for part in parts] == [
        ("first quarter", (0,)),
        ("second quarter", (1,)),
        ("last quarter", (2,)),
        ("not in the context", (3,)),
    ]


def test_leaks_stand_beside_all() -> None:
    """All questions, the clean ones, the others."""
    assert [(part.label, part.members) for part in by_leak([False, True, False])] == [
        ("all", (0, 1, 2)),
        ("no overlap", (0, 2)),
        ("overlap", (1,)),
    ]
