"""Notebook 50's exact Shapley values against shap's exact explainer: equal numbers, then the time."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.harness import Result, compare, installed

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "50_explainability.ipynb"
CLIENTS, OTHERS, FIELDS, WIDTH = 50, 60, 8, 24


def lesson() -> dict:
    """`shapley` and what it needs, from the notebook's own cells."""
    names: dict = {"np": np, "math": math}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        for part in "".join(cell["source"]).split("\n\n\n") if cell["cell_type"] == "code" else []:
            if part.startswith(("def shapley", "def game(", "def score_and_gradient(")):
                exec(part, names)
    return names


def run() -> list[Result]:
    """Fifty clients, eight fields, 256 coalitions, sixty others; a network in NumPy as the score. One BLAS thread."""
    if not installed("shap"):
        return []
    import shap

    ours, rng = lesson(), np.random.default_rng(7)
    shapes = ((FIELDS, WIDTH), (WIDTH,), (WIDTH, WIDTH), (WIDTH,), (WIDTH,), ())
    z, _ = ours["score_and_gradient"]([rng.normal(0, 0.5, shape).astype("float32") for shape in shapes])
    x, others = rng.standard_normal((CLIENTS, FIELDS)), rng.standard_normal((OTHERS, FIELDS))
    masker = shap.maskers.Independent(others, max_samples=OTHERS)
    theirs = shap.explainers.ExactExplainer(z, masker)
    with threadpool_limits(1, "blas"):
        gap = float(np.abs(ours["shapley"](z, x, others) - theirs(x).values).max())
        ways = {"ours": lambda: ours["shapley"](z, x, others), "shap, exact": lambda: theirs(x)}
        result = compare("exact Shapley values, 8 fields", ways, repeats=5, rows=CLIENTS)
    result.goal("largest difference of a value from shap's ≤ 0.00001", gap, high=1e-5)
    result.at_least(1, "shap, exact")
    return [result]
