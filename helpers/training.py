"""Train a compiled Keras model: one progress line, early stopping on validation data only, the best weights kept."""

from __future__ import annotations

import functools
import os
import random
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.errors import CourseError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


CALL = 128  # batches a call on TensorFlow: many for speed, few enough that a reader's interrupt is soon heard


@dataclass(frozen=True)
class History:
    """Losses by epoch (frame: index epoch from 1, columns loss, val_loss, …), the epoch whose weights were kept,
    seconds.
    """

    frame: pd.DataFrame
    best_epoch: int
    seconds: float

    def plot(self, title: str) -> Figure:
        """Training and validation loss by epoch, the kept epoch marked; show it with plots.show."""
        import matplotlib.pyplot as plt

        fig, ax = plt.subplots()
        ax.plot(self.frame["loss"], label="training")
        ax.plot(self.frame["val_loss"], label="validation")
        ax.axvline(self.best_epoch, color="0.5", linestyle=":", label=f"kept: epoch {self.best_epoch}")
        ax.set(title=title, xlabel="epoch", ylabel="loss")
        ax.legend()
        return fig


def fit(
    model: Any,
    X: Any,
    y: np.ndarray,
    *,
    validation: tuple[Any, np.ndarray],
    epochs: int,
    batch_size: int = 256,
    patience: int = 5,
    seed: int = 7,
    sample_weight: np.ndarray | None = None,
    label: str = "",
) -> History:
    """Fit a compiled `model` on arrays and leave the weights of the epoch with the lowest validation loss in it.

    X: array (n, …) or a list or dict of such; y (n, …); `validation`: the same pair, later in time or otherwise
    untouched, the only data that early stopping looks at. Training ends after `epochs`, or after `patience` epochs
    without a better validation loss. The same seed gives the same weights on the same machine and backend. Raises
    CourseError for missing values, parts of different lengths, empty parts, or a loss that is not finite.
    """
    import keras
    import pandas as pd

    _check("training", X, y)
    _check("validation", *validation)
    if getattr(model, "optimizer", None) is None:
        raise CourseError("The model is not compiled: call model.compile(optimizer=…, loss=…) before training.fit.")
    _seed(keras, seed, traced=hasattr(model.train_function, "in_graph"))  # see also _keep_best
    if model.built and not model.optimizer.built:  # TensorFlow would trace a step that makes these variables twice
        model.optimizer.build(model.trainable_variables)
    # A pass over validation arrays costs TensorFlow 10 to 20 ms for an iterator, more than a small model's epoch. So a
    # small validation set goes through in one piece, and naming the steps spares the second iterator of each pass.
    whole = sum(a.size for a in _arrays(validation[0])) <= 2**19
    steps = None if whole else -(-len(validation[1]) // max(batch_size, 1024))
    keeper = _keep_best(keras, patience, seed, validation if whole else None)
    started = time.perf_counter()
    settings = {
        "epochs": epochs,
        "validation_data": None if whole else validation,
        "validation_batch_size": max(batch_size, 1024),
        "validation_steps": steps,
        "verbose": 0,
        "callbacks": [keeper, _progress(keras, epochs, label)],
    }
    data = (X, y) if sample_weight is None else (X, y, sample_weight)
    if keras.backend.backend() == "tensorflow" and not model.run_eagerly:
        history = _fit_in_graph(keras, model, data, batch_size, seed, settings)
    else:
        _group_steps(keras, model, batches=-(-len(y) // batch_size), epochs=epochs)
        history = model.fit(X, y, sample_weight=sample_weight, batch_size=batch_size, **settings)
    frame = pd.DataFrame(history.history)
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="epoch")
    if not np.isfinite(frame["val_loss"].iloc[keeper.best_epoch - 1]):
        raise CourseError("The loss is not finite: scale the inputs or lower the learning rate.")
    return History(frame, keeper.best_epoch, time.perf_counter() - started)


def reset(model: Any, seed: int) -> None:
    """Give a compiled `model` fresh initial weights from `seed` and a fresh optimiser, keeping its compiled functions.

    The same as building and compiling it anew after keras.utils.set_random_seed(seed), without paying for tracing
    again: this makes many folds and seeds of one architecture several times faster.
    """
    import keras

    _seed(keras, seed, traced=True)
    fresh = type(model).from_config(model.get_config())  # clone_model would look for a custom loss by its name
    for old, new in zip(_state(model), _state(fresh), strict=True):
        old.assign(new)
    if model.optimizer.built:
        scheduled = isinstance(model.optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule)
        rate = None if scheduled else float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        for variable in model.optimizer.variables:
            variable.assign(keras.ops.zeros(variable.shape, dtype=variable.dtype))
        if rate is not None:
            model.optimizer.learning_rate = rate


def _seed(keras: Any, seed: int, *, traced: bool) -> None:
    """keras.utils.set_random_seed, but where a model's step is traced already, TensorFlow's global seed is left alone:
    setting it drops what TensorFlow has compiled, and the next fit of a small network would take 3 to 7 times as long.
    Keras' initial weights on TensorFlow rest on Python's generator, its dropout on variables of the model.
    """
    if traced and keras.backend.backend() == "tensorflow":
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 (the generator that Keras sets too)
    else:
        keras.utils.set_random_seed(seed)


def _state(model: Any) -> list[Any]:
    """Weights, and the states of the random numbers that dropout and its like draw."""
    return [*model.weights, *(v for v in model.variables if v.path.endswith("seed_generator_state"))]


def _arrays(X: Any) -> list[np.ndarray]:
    """The arrays of an input that may be one, a list or a dict."""
    parts = X.values() if isinstance(X, dict) else X if isinstance(X, list | tuple) else [X]
    return [np.asarray(part) for part in parts]


def _check(part: str, X: Any, y: np.ndarray) -> None:
    arrays = _arrays(X)
    for array in arrays:
        if len(array) != len(y):
            raise CourseError(f"The {part} inputs have {len(array)} rows and the target {len(y)}.")
    if len(y) == 0:
        raise CourseError(f"The {part} data is empty.")
    for name, values in [("inputs", a) for a in arrays] + [("target", np.asarray(y))]:
        if values.dtype.kind not in "fiub":
            raise CourseError(f"The {part} {name} hold {values.dtype} values; a network needs numbers.")
        missing = values.size - int(np.isfinite(values).sum())
        if missing:
            raise CourseError(
                f"The {part} {name} hold {missing} missing or infinite values; clean them before training."
            )


def _fit_in_graph(keras: Any, model: Any, data: tuple, batch_size: int, seed: int, settings: dict) -> Any:
    """model.fit on TensorFlow, where Keras' own way of feeding arrays costs a small model more than its training does:
    an iterator an epoch, a trip through Python a batch. Here the graph gathers the batches from the arrays itself, up
    to CALL of them a call, and Keras' fit counts calls as its steps. The steps taken are Keras' own, model.train_step.
    """
    import tensorflow as tf

    def tensor(part: Any) -> Any:
        array = np.asarray(part)
        return tf.convert_to_tensor(array, keras.config.floatx() if array.dtype.kind == "f" else None)

    model.make_train_function()
    own = model.train_function
    if not hasattr(own, "in_graph"):  # kept on Keras' function, which compile drops: the next fit need not trace again
        step = tf.function(model.train_step, jit_compile=True) if model.jit_compile else model.train_step

        @tf.function
        def in_graph(tensors: Any, order: Any, batch_size: Any) -> Any:
            for first in tf.range(0, tf.size(order), batch_size):
                gather = functools.partial(tf.gather, indices=order[first : first + batch_size])
                step(tf.nest.map_structure(gather, tensors))
            return model.get_metrics_result()

        own.in_graph = in_graph
    tensors = tf.nest.map_structure(tensor, data)
    any_rows = tf.nest.map_structure(lambda array: tf.TensorSpec([None, *array.shape[1:]], array.dtype), tensors)
    run = own.in_graph.get_concrete_function(any_rows, tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32))
    rows, chunk = len(data[1]), CALL * batch_size
    size, calls, order = tf.constant(batch_size), -(-rows // chunk), None

    def train(iterator: Any) -> Any:
        nonlocal order
        epoch, call = divmod(int(next(iterator)), calls)
        if call == 0:
            order = tf.random.experimental.stateless_shuffle(tf.range(rows), seed=[seed, epoch])
        return run(tensors, order[call * chunk : (call + 1) * chunk], size)

    model.train_function = train
    try:
        numbers = tf.data.Dataset.range(settings["epochs"] * calls)  # one iterator for the whole fit: steps are named
        return model.fit(numbers, steps_per_epoch=calls, shuffle=False, **settings)
    finally:
        model.train_function = own


def _group_steps(keras: Any, model: Any, batches: int, epochs: int) -> None:
    """Let long trainings on JAX run several batches a call: fewer trips through Python (PyTorch allows one)."""
    if batches * epochs < 1000 or keras.backend.backend() != "jax":
        return
    grouped = min(32, 2 ** int(np.log2(batches)))  # powers of two, so that folds of like size share one trace
    if model.steps_per_execution != grouped:
        model.steps_per_execution = grouped
        model.train_function = model.test_function = None


def _keep_best(keras: Any, patience: int, seed: int, validation: tuple | None) -> Any:
    class KeepBest(keras.callbacks.Callback):
        """Early stopping that also restores the best weights when the epochs run out first; a validation set that it
        is given is scored here, for all callbacks after it.
        """

        best_loss, best_epoch, best_weights = np.inf, 1, None

        def on_train_begin(self, logs: dict | None = None) -> None:
            if keras.backend.backend() != "tensorflow":  # there a model's first fit has drawn numbers
                keras.utils.set_random_seed(seed)

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            if validation is not None:
                scores = self.model.test_on_batch(*validation, return_dict=True)
                logs.update({f"val_{name}": value for name, value in scores.items()})
            if logs["val_loss"] < self.best_loss:
                self.best_loss, self.best_epoch = logs["val_loss"], epoch + 1
                self.best_weights = self.model.get_weights()
            if epoch + 1 - self.best_epoch >= patience or not np.isfinite(logs["loss"]):
                self.model.stop_training = True

        def on_train_end(self, logs: dict | None = None) -> None:
            if self.best_weights is not None:
                self.model.set_weights(self.best_weights)

    return KeepBest()


def _progress(keras: Any, epochs: int, label: str) -> Any:
    class Progress(keras.callbacks.Callback):
        """One line that updates in a notebook or terminal, and a single closing line in a log."""

        def on_train_begin(self, logs: dict | None = None) -> None:
            self.started, self.line, self.handle = time.perf_counter(), "", None
            self.where = _where()

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            self.line = (
                f"{label + ': ' if label else ''}epoch {epoch + 1}/{epochs} · loss {logs['loss']:.4g} · "
                f"validation {logs['val_loss']:.4g} · {time.perf_counter() - self.started:.1f} s"
            )
            if self.where == "terminal":
                print(f"\r\x1b[K{self.line}", end="", flush=True)
            elif self.where == "notebook":
                from IPython.display import display

                bundle = {"text/plain": self.line}
                if self.handle is None:
                    self.handle = display(bundle, raw=True, display_id=True)
                else:
                    self.handle.update(bundle, raw=True)

        def on_train_end(self, logs: dict | None = None) -> None:
            if self.where == "terminal":
                print()
            elif self.where == "log":
                print(self.line)

    return Progress()


def _where() -> str:
    if os.environ.get("COURSE_PROGRESS") == "off":
        return "nowhere"
    if "ipykernel" in sys.modules and "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        return "notebook"
    return "terminal" if sys.stdout.isatty() else "log"
