"""Numbers and lists as messages say them."""

from __future__ import annotations

import pytest

from clinica_gado.words import counted, first_few


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 visits"), (1, "1 visit"), (2, "2 visits"), (21, "21 visits")]
)
def test_one_is_singular_and_all_else_plural(number: int, words: str) -> None:
    assert counted(number, "visit") == words


def test_of_a_long_list_the_first_are_named_and_the_rest_counted() -> None:
    assert first_few(range(3), 3) == "0, 1, 2"
    assert first_few(range(5), 3) == "0, 1, 2 and 2 more"
    assert first_few(range(3), 2, "; ") == "0; 1 and 1 more"
    assert first_few([]) == ""
