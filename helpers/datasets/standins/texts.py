"""Sentences whose words say, more or less, what their label is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Table

ENGLISH = ["How about", "I have a question:", "Please help with", "Why is there", "What about my"]
CHINESE = ["请问", "今天的市场", "公司公告说", "大家怎么看", "据消息称"]
ZERO_ONE = ["see you later", "free prize"]
IN_CHINESE = {"negative": "大幅下跌", "neutral": "基本持平", "positive": "大幅上涨"}


def messages(
    table: Table,
    rng: np.random.Generator,
    label: str,
    sizes: list[int] = (),
    outside: str = "",
    noise: float = 0.0,
    chinese: bool = False,
) -> pd.DataFrame:
    """Questions made of the words of their label, or, for a share `noise` of them, of another's.

    A label is a level, a 0/1, or a number whose sign counts. `sizes` are the rows of each level of `split`, in order;
    the level `outside` stands in the splits that have it in their name, and only there.
    """
    columns, n = table.columns, table.rows
    frame = pd.DataFrame(index=range(n))
    if "split" in columns:
        frame["split"] = np.repeat(np.array(columns["split"].levels, object), sizes)
    if columns[label].kind == "float64":
        frame[label] = rng.uniform(columns[label].low, columns[label].high, n).round(3)
        said = np.where(frame[label] > 0, "rises well", "falls badly").astype(object)
    else:
        levels = [level for level in columns[label].levels or ZERO_ONE if level != outside]
        said = np.array(levels, object)[np.arange(n) % len(levels)]
        if outside:
            said[frame["split"].str.contains(outside)] = outside
        frame[label] = np.arange(n) % 2 if columns[label].kind == "int8" else said
    if noise:
        said = np.where(rng.uniform(size=n) < noise, rng.permutation(said), said)
    starts = CHINESE if chinese else ENGLISH
    words = [IN_CHINESE[word] if chinese else word.strip("?").replace("_", " ") for word in said]
    text = [f"{starts[rng.integers(5)]} {word}? ({i})" for i, word in enumerate(words)]
    for name, column in columns.items():
        if name not in frame and column.kind != "text":
            frame[name] = rng.integers(int(column.low), int(column.high) + 1, n)
        elif name not in frame:
            frame[name] = text or [f"{name} {i % 20}" for i in range(n)]
            text = []  # said; a second column of text has other things
    return frame[list(columns)]
