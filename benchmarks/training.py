"""Training through `training.fit` on TensorFlow and JAX against loops written by hand in TensorFlow, PyTorch and JAX.

Each way is a process of its own (one backend a process) that waits for "go" and answers with the rows it trained a
second, so that all can take turns. Same architecture, batch, optimiser and rows; the first epochs are not counted.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

from benchmarks.harness import OURS, Result, installed

MODELS = {  # rows, batch, epochs a turn; the small ones are those of most lessons
    "small mlp": (4_249, 128, 40),
    "small lstm": (4_249, 256, 20),
    "mlp": (65_536, 4_096, 4),
    "autoencoder": (131_072, 1_024, 8),
    "conv1d": (8_192, 256, 6),
    "lstm": (4_096, 256, 2),
}
WAYS = {
    "ours on TensorFlow": ("tensorflow", "keras"),
    "ours on JAX": ("jax", "keras"),
    "a TensorFlow loop": ("tensorflow", "tensorflow"),
    "a PyTorch loop": ("torch", "torch"),
    "a JAX loop": ("jax", "jax"),
}
ROUNDS = 5


def run() -> list[Result]:
    """Each of our backends beside the loops. TensorFlow's goal is its own loop; the others are for the better of the
    two backends, as a reader can choose.
    """
    here = {way: what for way, what in WAYS.items() if installed(what[0])}
    results = []
    for model, (rows, _, _) in MODELS.items():
        workers = {way: _start(*what, model) for way, what in here.items()}
        seconds = {way: [] for way in workers}
        for _ in range(ROUNDS):
            for way, worker in workers.items():
                seconds[way].append(_ask(worker))
        for worker in workers.values():
            worker.communicate()
        loops = {way: times for way, times in seconds.items() if not way.startswith(OURS)}
        both = []
        for way in seconds.keys() - loops.keys():
            both.append(Result(f"{model} {way.removeprefix(OURS).strip()}", {OURS: seconds[way], **loops}, rows))
            both[-1].notes += [f"{name}: {rows / both[-1].median(name):,.0f} rows a second" for name in (OURS, *loops)]
            if way.endswith("TensorFlow"):
                both[-1].at_least(0.8, "a TensorFlow loop")
        both.sort(key=Result.median)
        for best in both[:1]:
            best.at_least(1.0, "a PyTorch loop")
            if loops:
                best.at_least(0.8, min(loops, key=best.median))
        results += both
    return results


def _start(backend: str, kind: str, model: str) -> subprocess.Popen:
    environment = os.environ | {"KERAS_BACKEND": backend, "COURSE_PROGRESS": "off", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["OMP_WAIT_POLICY"] = "PASSIVE"  # a waiting PyTorch must not keep the cores busy while others are timed
    command = [sys.executable, "-m", "benchmarks.training", kind, model]
    worker = subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    _ask(worker)  # warm: compiled, and every code path taken
    return worker


def _ask(worker: subprocess.Popen) -> float:
    worker.stdin.write("go\n")
    worker.stdin.flush()
    for line in worker.stdout:
        if line.startswith("seconds "):
            return float(line.split()[1])
    raise RuntimeError("a worker has died")


# ---------------------------------------------------------------------------------------------------- in the workers


def _data(model: str):
    import numpy as np

    rows = MODELS[model][0]
    rng = np.random.default_rng(7)
    shape = {
        "mlp": (23,), "small mlp": (22,), "autoencoder": (30,),
        "conv1d": (60, 8), "lstm": (60, 8), "small lstm": (10, 6),
    }[model]  # fmt: skip
    X = rng.standard_normal((rows, *shape)).astype("float32")
    return X, (X if model == "autoencoder" else X.reshape(rows, -1)[:, :1].copy())


def _network(model: str):
    """A Keras model, not compiled."""
    import keras
    from keras import layers

    def dense(*sizes):
        return [layers.Dense(size, activation="relu") for size in sizes[:-1]] + [layers.Dense(sizes[-1])]

    body = {
        "mlp": lambda: dense(128, 128, 128, 128, 1),
        "small mlp": lambda: dense(32, 16, 1),
        "autoencoder": lambda: dense(16, 8, 16, 30),
        "conv1d": lambda: [
            layers.Conv1D(32, 5, activation="relu"), layers.MaxPooling1D(2), layers.Conv1D(64, 5, activation="relu"),
            layers.GlobalAveragePooling1D(), layers.Dense(1),
        ],
        "lstm": lambda: [layers.LSTM(64), layers.Dense(1)],
        "small lstm": lambda: [layers.LSTM(16), layers.Dense(1)],
    }[model]()  # fmt: skip
    keras.utils.set_random_seed(7)
    return keras.Sequential([keras.Input(_data(model)[0].shape[1:]), *body])


def _keras(model: str):
    import keras

    from helpers import training

    (X, y), net = _data(model), _network(model)
    net.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    (_, batch, epochs), few = MODELS[model], slice(0, 256)

    def turn() -> float:
        """Seconds an epoch of training.fit, its validation on a few rows and its seeds included."""
        done = training.fit(
            net, X, y, validation=(X[few], y[few]), epochs=epochs, patience=epochs, batch_size=batch
        )  # fmt: skip
        return done.seconds / epochs

    return turn


def _tensorflow(model: str):
    import time

    import keras
    import tensorflow as tf

    (X, y), net, batch = map(tf.constant, _data(model)), _network(model), MODELS[model][1]
    optimiser = keras.optimizers.Adam(1e-3)
    optimiser.build(net.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(net(x, training=True) - y))
        optimiser.apply(tape.gradient(loss, net.trainable_variables))
        return loss

    def epoch() -> float:
        started = time.perf_counter()
        order = tf.random.shuffle(tf.range(len(X)))
        for first in range(0, len(X), batch):
            part = order[first : first + batch]
            loss = step(tf.gather(X, part), tf.gather(y, part))
        float(loss)
        return time.perf_counter() - started

    return epoch


def _torch(model: str):
    import time

    import torch
    from torch import nn

    torch.manual_seed(7)
    X, y = map(torch.from_numpy, _data(model))

    class Last(nn.Module):
        def __init__(self, inputs, units):
            super().__init__()
            self.lstm, self.out = nn.LSTM(inputs, units, batch_first=True), nn.Linear(units, 1)

        def forward(self, x):
            return self.out(self.lstm(x)[0][:, -1])

    class Conv(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv1d(8, 32, 5), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(32, 64, 5), nn.ReLU())
            self.out = nn.Linear(64, 1)

        def forward(self, x):
            return self.out(self.body(x.transpose(1, 2)).mean(-1))

    def dense(*sizes):
        pairs = [(nn.Linear(a, b), nn.ReLU()) for a, b in itertools.pairwise(sizes)]
        return nn.Sequential(*[layer for pair in pairs for layer in pair][:-1])

    net = {
        "mlp": lambda: dense(23, 128, 128, 128, 128, 1),
        "small mlp": lambda: dense(22, 32, 16, 1),
        "autoencoder": lambda: dense(30, 16, 8, 16, 30),
        "conv1d": Conv,
        "lstm": lambda: Last(8, 64),
        "small lstm": lambda: Last(6, 16),
    }[model]()
    optimiser, batch, loss = torch.optim.Adam(net.parameters(), 1e-3), MODELS[model][1], nn.MSELoss()

    def epoch() -> float:
        started = time.perf_counter()
        for part in torch.randperm(len(X)).split(batch):
            optimiser.zero_grad()
            loss(net(X[part]), y[part]).backward()
            optimiser.step()
        return time.perf_counter() - started

    return epoch


def _jax(model: str):
    import time

    import jax
    import jax.numpy as jnp
    import numpy as np

    X, y = _data(model)
    rng, batch = np.random.default_rng(7), MODELS[model][1]

    def matrix(*shape):
        return jnp.asarray(rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1])), jnp.float32)

    def dense(sizes):
        return [(matrix(a, b), jnp.zeros(b)) for a, b in itertools.pairwise(sizes)]

    def forward_dense(p, x):
        for w, b in p[:-1]:
            x = jax.nn.relu(x @ w + b)
        return x @ p[-1][0] + p[-1][1]

    def forward_lstm(p, x):
        wx, wh, b, wo, bo = p

        def step(state, inputs):
            h, c = state
            i, f, g, o = jnp.split(inputs + h @ wh, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        zero = jnp.zeros((x.shape[0], len(wh)))
        (h, _), _ = jax.lax.scan(step, (zero, zero), jnp.swapaxes(x @ wx + b, 0, 1))
        return h @ wo + bo

    def forward_conv(p, x):
        form = ("NWC", "WIO", "NWC")
        x = jax.nn.relu(jax.lax.conv_general_dilated(x, p[0], (1,), "VALID", dimension_numbers=form) + p[1])
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 1), (1, 2, 1), "VALID")
        x = jax.nn.relu(jax.lax.conv_general_dilated(x, p[2], (1,), "VALID", dimension_numbers=form) + p[3])
        return x.mean(1) @ p[4] + p[5]

    forward, p = {
        "mlp": lambda: (forward_dense, dense((23, 128, 128, 128, 128, 1))),
        "small mlp": lambda: (forward_dense, dense((22, 32, 16, 1))),
        "autoencoder": lambda: (forward_dense, dense((30, 16, 8, 16, 30))),
        "conv1d": lambda: (forward_conv, [
            matrix(5, 8, 32), jnp.zeros(32), matrix(5, 32, 64), jnp.zeros(64), matrix(64, 1), jnp.zeros(1)]),
        "lstm": lambda: (forward_lstm, [
            matrix(8, 256), matrix(64, 256), jnp.zeros(256), matrix(64, 1), jnp.zeros(1)]),
        "small lstm": lambda: (forward_lstm, [
            matrix(6, 64), matrix(16, 64), jnp.zeros(64), matrix(16, 1), jnp.zeros(1)]),
    }[model]()  # fmt: skip
    state = (p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.zeros(()))

    @jax.jit
    def step(state, x, y):
        p, m, v, t = state
        g = jax.grad(lambda q: jnp.mean((forward(q, x) - y) ** 2))(p)
        t = t + 1
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        p = jax.tree.map(lambda q, a, b: q - rate * a / (jnp.sqrt(b) + 1e-7), p, m, v)
        return p, m, v, t

    def epoch() -> float:
        nonlocal state
        started = time.perf_counter()
        order = rng.permutation(len(X))
        for first in range(0, len(X), batch):
            part = order[first : first + batch]
            state = step(state, X[part], y[part])
        jax.block_until_ready(state)
        return time.perf_counter() - started

    return epoch


def _work(kind: str, model: str) -> None:
    epoch = {"keras": _keras, "tensorflow": _tensorflow, "torch": _torch, "jax": _jax}[kind](model)
    epoch()
    for _ in sys.stdin:
        print(f"seconds {epoch()}", flush=True)


if __name__ == "__main__":
    _work(*sys.argv[1:])
