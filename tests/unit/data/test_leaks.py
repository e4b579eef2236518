"""The leak audit finds what comparing all with all finds, without doing so."""

import itertools
import random
import re
import time
from collections.abc import Iterable
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestibular.core.questions import Question
from vestibular.data import grams as gram_module
from vestibular.data.grams import Grams, groups
from vestibular.data.leaks import find_leaks, joined_documents


def runs(text: str, size: int) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    if 0 < len(words) < size:
        return {tuple(words)}
    return {tuple(words[start : start + size]) for start in range(len(words) - size + 1)}


def question(number: int, context: str, text: str, answers: Iterable[str]) -> Question:
    return Question(f"q{number}", "", context, text, tuple(answers), (-1,))


def all_with_all(train: list[Question], validation: list[Question]) -> tuple[set[int], set[int]]:
    """Every pair, by the definition."""
    asked, told = set(), set()
    for (ours, one), (theirs, other) in itertools.product(enumerate(validation), enumerate(train)):
        context = runs(one.context, 8)
        shares = bool(context) and len(context & runs(other.context, 8)) >= 0.5 * len(context)
        text, their_text = runs(one.question, 3), runs(other.question, 3)
        longer = max(len(text), len(their_text))
        equal = longer and len(text & their_text) >= 0.8 * longer
        if shares or (equal and set(one.answers) & set(other.answers)):
            asked.add(ours)
            told.add(theirs)
    return asked, told


WORDS = st.lists(st.sampled_from("abcdefg"), min_size=0, max_size=24).map(" ".join)
QUESTIONS = st.lists(
    st.tuples(WORDS, WORDS, st.lists(st.sampled_from("xyz"), min_size=1, max_size=2)), max_size=12
)


@settings(max_examples=150, deadline=None)
@given(QUESTIONS, QUESTIONS)
def test_all_pairs_that_leak_are_found(train: list[tuple], validation: list[tuple]) -> None:
    """By hand-made comparison of all with all, for texts of few words that share much."""
    learned = [question(number, *each) for number, each in enumerate(train)]
    asked = [question(number, *each) for number, each in enumerate(validation)]
    found = find_leaks(learned, asked)
    assert (found.validation, found.train) == all_with_all(learned, asked)


@settings(max_examples=100, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=14, unique=True))
def test_documents_that_overlap_are_joined(texts: list[str]) -> None:
    """Directly or through others, and nothing else is."""
    parent = list(range(len(texts)))

    def root(place: int) -> int:
        return place if parent[place] == place else root(parent[place])

    for one, two in itertools.combinations(range(len(texts)), 2):
        ours, theirs = runs(texts[one], 8), runs(texts[two], 8)
        if min(len(ours), len(theirs)) and len(ours & theirs) >= 0.5 * min(len(ours), len(theirs)):
            parent[root(one)] = root(two)
    numbers = joined_documents([question(n, text, "?", ["x"]) for n, text in enumerate(texts)])
    for one, two in itertools.combinations(range(len(texts)), 2):
        assert (numbers[one] == numbers[two]) == (root(one) == root(two))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_equal_runs_have_equal_numbers(size: int) -> None:
    """And different ones different numbers, within a text and between texts."""
    draw = random.Random(size)
    texts = [" ".join(draw.choices("abc", k=draw.randrange(14))) for _ in range(60)]
    table = Grams.of_texts(texts, size)
    for one, two in itertools.combinations(range(60), 2):
        shared = table.common(one, np.array([two]), np.zeros(table.kinds, np.bool_))
        assert shared.tolist() == [len(runs(texts[one], size) & runs(texts[two], size))]


def test_questions_of_one_template_are_compared_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All give all away: each is found although no gram proposes more than a few texts."""
    monkeypatch.setattr(gram_module, "MOST_HOLDERS", 5)
    texts = [f"qual é a parte contratante do contrato com o número {n}" for n in range(300)]
    questions = [question(n, f"c{n}", text, ["sim"]) for n, text in enumerate(texts)]
    found = find_leaks(questions[:200], questions[200:])
    assert found.validation == set(range(100))
    assert found.train == set(range(200))
    assert found.counts["nearly_equal_questions"] == 100
    long = " ".join(f"palavra{n}" for n in range(40))
    contexts = [f"{long} {n}" for n in range(300)]
    assert len(groups(Grams.of_texts(contexts, 8), 0.5, "")) == 299


@settings(max_examples=60, deadline=None)
@given(QUESTIONS, QUESTIONS)
def test_hardly_a_pair_is_missed_where_grams_are_capped(
    train: list[tuple], validation: list[tuple]
) -> None:
    """What is found leaks, and most is found, where no gram proposes more than three texts."""
    learned = [question(number, *each) for number, each in enumerate(train)]
    asked = [question(number, *each) for number, each in enumerate(validation)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gram_module, "MOST_HOLDERS", 3)
        found = find_leaks(learned, asked)
    all_asked, all_told = all_with_all(learned, asked)
    assert found.validation <= all_asked
    assert found.train <= all_told
    # whoever shares enough with many is found through some of them
    assert len(all_asked) - len(found.validation) <= 1
    assert len(all_told) - len(found.train) <= 2


def test_time_grows_with_the_number_of_questions() -> None:
    """Four times the questions of one template take nowhere near sixteen times as long."""
    taken = {}
    for count in (1000, 4000):
        questions = [
            question(n, f"c{n}", f"qual é a parte contratante do contrato número {n}", [f"f{n}"])
            for n in range(count)
        ]
        start = time.process_time()
        find_leaks(questions[: count // 2], questions[count // 2 :])
        taken[count] = time.process_time() - start
    assert taken[4000] < 8 * taken[1000] + 1


def test_texts_are_compared_whatever_their_encoding() -> None:
    """Accents that are part of their letters (NFC), or follow them (NFD): the same words."""
    text = "a fundação do Ipê é da reitora Conceição Araújo há três décadas e além"
    asked = "onde fica a fundação e de quem é"
    train = [
        question(0, normalize("NFD", text), "?", ["x"]),
        question(1, "nada", normalize("NFD", asked), [normalize("NFD", "Conceição")]),
    ]
    validation = [question(0, text, "quem?", ["y"]), question(1, "outro", asked, ["Conceição"])]
    found = find_leaks(train, validation)
    assert (found.validation, found.train) == ({0, 1}, {0, 1})


def test_texts_without_spaces_are_compared_by_characters() -> None:
    """A copied part of a Chinese or Thai text is found, and a text of the same words is not."""
    chinese = "北京大学创办于一八九八年是中国近代第一所国立综合性大学"
    thai = "มหาวิทยาลัยเชียงใหม่เป็นมหาวิทยาลัยในภาคเหนือของประเทศไทย"
    train = [question(0, chinese, "?", ["x"]), question(1, thai, "?", ["x"])]
    validation = [
        question(0, f"据记载{chinese[:20]}。", "何年?", ["y"]),
        question(1, f"{thai[5:45]}ครับ", "ที่ไหน?", ["y"]),
        question(2, "东京大学创办于一八七七年", "何时?", ["y"]),
    ]
    found = find_leaks(train, validation)
    assert (found.validation, found.train) == ({0, 1}, {0, 1})
