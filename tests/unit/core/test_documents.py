"""Which questions count as one document's."""

from vestibular.core.documents import context_name, document_numbers
from vestibular.core.questions import Question


def of(title: str, context: str) -> Question:
    return Question("1", title, context, "?", ("x",), (0,))


def test_a_title_is_a_document() -> None:
    """Contexts of one title belong together."""
    assert document_numbers([of("a", "1"), of("b", "2"), of("a", "3")]) == [0, 1, 0]


def test_titles_are_equal_whatever_their_case_and_white_space() -> None:
    """One document of a careless source is not two."""
    questions = [of("São Paulo", "1"), of(" são  PAULO\n", "2"), of("Paulo", "3"), of(" ", "4")]
    assert document_numbers(questions) == [0, 0, 1, 2]


def test_contexts_that_are_alike_are_of_one_document() -> None:
    """Whoever knows that two texts overlap says so."""
    questions = [of("a", "1"), of("b", "2"), of("c", "3"), of("a", "4")]
    assert document_numbers(questions, [("3", "4")]) == [0, 1, 0, 0]


def test_a_context_joins_its_titles() -> None:
    """The same context under two titles makes one document of both."""
    questions = [of("a", "1"), of("b", "2"), of("c", "4"), of("a", "3"), of("b", "3")]
    assert document_numbers(questions) == [0, 0, 1, 0, 0]


def test_without_titles_a_context_is_a_document() -> None:
    """An empty title joins nothing."""
    assert document_numbers([of("", "1"), of("", "2"), of("", "1")]) == [0, 1, 0]


def test_a_contexts_name_is_its_own() -> None:
    """Equal contexts have one name, others another; it holds nothing of the text."""
    assert context_name("São Paulo") == context_name("São Paulo") != context_name("Sao Paulo")
    assert context_name("") == "e3b0c44298fc1c14"
