"""Texts as integers: pieces, numbers, padding."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from helpers import texts


def test_pieces():
    assert texts.tokenise("My card hasn't arrived, 12 days!") == [
        "my",
        "card",
        "hasn't",
        "arrived",
        ",",
        "12",
        "days",
        "!",
    ]
    assert texts.letter_runs("Pay") == [" pay", "pay "]
    assert texts.letter_runs("") == ["  "] and texts.letter_runs("abc", 3) == [" ab", "abc", "bc "]


def test_numbers_and_padding():
    numbers = texts.numbering(["a b a", "b c"], texts.tokenise, 2)
    assert numbers == {"a": 2, "b": 3}
    got = texts.encode(["b x a b", "", "a"], texts.tokenise, numbers, 3)
    np.testing.assert_array_equal(got, [[3, 1, 2], [1, 0, 0], [2, 0, 0]])


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
def test_every_row_has_the_length_and_a_piece(some):
    for cut in (texts.tokenise, texts.letter_runs):
        got = texts.encode(some, cut, texts.numbering(some, cut, 1), 7)
        assert got.shape == (len(some), 7) and (got[:, 0] > 0).all()
