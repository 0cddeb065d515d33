"""Texts as integers, as notebook 16 builds it: cut into pieces, number the frequent ones, pad to one length."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

PAD, UNKNOWN = 0, 1
PIECES = re.compile(r"[a-z']+|\d+|[^\sa-z\d]")


def tokenise(text: str) -> list[str]:
    """Words, numbers and marks of a text, in lower case."""
    return PIECES.findall(text.lower())


def letter_runs(text: str, n: int = 4) -> list[str]:
    """All runs of `n` characters of a text in lower case, a blank at either end included."""
    text = f" {text.lower()} "
    return [text[i : i + n] for i in range(max(1, len(text) - n + 1))]


def numbering(texts: Iterable[str], cut: Callable[[str], list[str]], least: int) -> dict[str, int]:
    """Numbers, from 2, of the pieces that occur at least `least` times, in the order of their first occurrence."""
    count = Counter(piece for text in texts for piece in cut(text))
    return {piece: number for number, piece in enumerate((p for p, n in count.items() if n >= least), 2)}


def encode(texts: Iterable[str], cut: Callable[[str], list[str]], numbers: dict[str, int], length: int) -> np.ndarray:
    """Integers (n, length), int32: a text a row, cut at `length`, padded with PAD; other pieces are UNKNOWN, and a
    text without a piece is one UNKNOWN.
    """
    texts = list(texts)
    out = np.full((len(texts), length), PAD, dtype="int32")
    for row, text in zip(out, texts, strict=True):
        found = [numbers.get(piece, UNKNOWN) for piece in cut(text)[:length]] or [UNKNOWN]
        row[: len(found)] = found
    return out
