"""The page's sentences as HTML."""

from vestibular.report.page import with_code


def test_what_stands_between_backticks_is_code() -> None:
    """All else is escaped, and a lonely backtick stays what it is."""
    said = with_code("`dvc repro` runs <b>it</b>; `a < b` too, and ` alone")
    assert said == (
        "<code>dvc repro</code> runs &lt;b&gt;it&lt;/b&gt;; <code>a &lt; b</code> too, and ` alone"
    )
