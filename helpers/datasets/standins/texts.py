"""Sentences whose words say, more or less, what their label is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Table


def messages(table: Table, rng: np.random.Generator, label: str) -> pd.DataFrame:
    """Questions made of the words of their intent."""
    levels = table.columns["intent"].levels
    starts = ["How about", "I have a question:", "Please help with", "Why is there", "What about my"]
    intents = [levels[i % len(levels)] for i in range(table.rows)]
    texts = [
        f"{starts[rng.integers(5)]} {intent.strip('?').replace('_', ' ')}? ({i})" for i, intent in enumerate(intents)
    ]
    splits = np.where(np.arange(table.rows) < 10_003, "train", "test").astype(object)
    return pd.DataFrame({"text": texts, "intent": intents, "split": splits})
