"""The tests; `support` holds what several of them use."""

import pytest

# a failure there shows its values, as in a test
pytest.register_assert_rewrite("tests.support")
