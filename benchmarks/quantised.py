"""Notebook 54's LiteRT file with int8 kernels against float32 and against Keras: the decisions first, then the time."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.harness import Result, compare, installed

COLUMNS, UNITS, ROWS, CUT = 64, 256, 4096, -1.32


def engine(model: object, **options: object) -> object:
    """A function of rows (n, COLUMNS) that runs the exported model on one thread and returns log-odds (n, 1)."""
    from ai_edge_litert.interpreter import Interpreter

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        model.export(str(path), format="litert", verbose=False, **options)
        content = path.read_bytes()
    runtime = Interpreter(model_content=content, num_threads=1)
    take, give = runtime.get_input_details()[0]["index"], runtime.get_output_details()[0]["index"]
    shape = None

    def answer(rows: np.ndarray) -> np.ndarray:
        nonlocal shape
        if rows.shape != shape:
            runtime.resize_tensor_input(take, rows.shape)
            runtime.allocate_tensors()
            shape = rows.shape
        runtime.set_tensor(take, rows)
        runtime.invoke()
        return runtime.get_tensor(give)

    return answer


def run() -> list[Result]:
    """The approved network's shape with random weights; all rows in one call, and a single row."""
    if not installed("ai_edge_litert", "tensorflow"):
        return []
    import keras
    import tensorflow as tf
    from keras import layers

    keras.utils.set_random_seed(7)
    hidden = [layers.Dense(UNITS, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((COLUMNS,)), *hidden, layers.Dense(1)])
    model.compile()
    rows = np.random.default_rng(7).standard_normal((ROWS, COLUMNS)).astype("float32")
    small, plain = engine(model, optimizations=[tf.lite.Optimize.DEFAULT]), engine(model)
    told = {name: way(rows) for name, way in (("int8", small), ("float32", plain), ("keras", model.predict_on_batch))}
    gap = float(np.abs(told["float32"] - told["keras"]).max())
    flipped = float(((told["int8"] < CUT) != (told["keras"] < CUT)).mean())
    results = []
    for name, part in ((f"{ROWS:,} rows", rows), ("one row", rows[:1])):
        ways = {
            "ours": lambda part=part: small(part),
            "LiteRT, float32": lambda part=part: plain(part),
            "Keras": lambda part=part: model.predict_on_batch(part),
        }
        result = compare(f"a network of 82,689 weights, int8, {name}", ways, repeats=5, rows=len(part))
        result.goal("largest difference of LiteRT's float32 from Keras ≤ 0.0001", gap, high=1e-4)
        result.goal("decisions that int8 flips ≤ 1 %", flipped, high=0.01)
        result.at_least(1, "LiteRT, float32")
        result.at_least(1, "Keras")
        results.append(result)
    return results
