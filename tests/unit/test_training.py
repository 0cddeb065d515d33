import itertools
import subprocess
import sys

import numpy as np
import pytest

from helpers import session, training
from helpers.errors import CourseError

rng = np.random.default_rng(0)
X = rng.standard_normal((600, 5)).astype("float32")
Y = (X[:, 0] - 0.5 * X[:, 1] + 0.1 * rng.standard_normal(600)).astype("float32")
TRAIN, VALID = (X[:400], Y[:400]), (X[400:], Y[400:])


@pytest.fixture(scope="module", autouse=True)
def keras():
    session.start("quick", 7)
    import keras

    return keras


def network(keras, seed=1, rate=0.01):
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Input((5,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.1)]
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(rate), "mse")
    return model


def weights(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


def test_the_same_seed_gives_the_same_weights(keras):
    found = []
    for seed in (1, 1, 2):
        model = network(keras)
        training.fit(model, *TRAIN, validation=VALID, epochs=4, batch_size=64, seed=seed)
        found.append(weights(model))
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def test_reset_equals_building_anew(keras):
    model = network(keras, seed=5)
    fresh = training.fit(model, *TRAIN, validation=VALID, epochs=3, batch_size=64, seed=5)
    expected = weights(model)
    other = network(keras, seed=1)
    training.fit(other, *TRAIN, validation=VALID, epochs=3, batch_size=64, seed=1)
    training.reset(other, 5)
    again = training.fit(other, *TRAIN, validation=VALID, epochs=3, batch_size=64, seed=5)
    assert np.array_equal(weights(other), expected)
    assert again.frame["val_loss"].tolist() == fresh.frame["val_loss"].tolist()
    assert float(keras.ops.convert_to_numpy(other.optimizer.learning_rate)) == pytest.approx(0.01)


def test_reset_starts_a_learning_rate_schedule_again(keras):
    model = network(keras, seed=5)
    falling = keras.optimizers.schedules.CosineDecay(0.01, 60)
    model.compile(keras.optimizers.Adam(falling), loss=model.loss)
    first = training.fit(model, *TRAIN, validation=VALID, epochs=3, batch_size=64, seed=5)
    training.reset(model, 5)
    again = training.fit(model, *TRAIN, validation=VALID, epochs=3, batch_size=64, seed=5)
    assert again.frame["val_loss"].tolist() == first.frame["val_loss"].tolist()


@pytest.mark.parametrize("epochs,patience", [(40, 3), (5, 50)])
def test_the_best_epochs_weights_are_kept_however_training_ends(keras, epochs, patience):
    model = network(keras, rate=0.05)
    history = training.fit(model, *TRAIN, validation=VALID, epochs=epochs, batch_size=32, patience=patience)
    losses = history.frame["val_loss"]
    assert history.best_epoch == losses.idxmin() and len(losses) <= min(epochs, history.best_epoch + patience)
    assert model.evaluate(*VALID, verbose=0) == pytest.approx(losses.min(), rel=1e-4)
    assert history.seconds > 0 and history.frame.index[0] == 1


def test_early_stopping_looks_at_validation_data_only(keras):
    noise = rng.standard_normal(200).astype("float32")
    model = network(keras, rate=0.05)
    history = training.fit(model, *TRAIN, validation=(VALID[0], noise), epochs=60, batch_size=32, patience=2)
    assert len(history.frame) < 60, "the training loss still falls, so only validation can have stopped it"


def test_several_inputs_and_outputs(keras):
    first, second = keras.layers.Input((2,)), keras.layers.Input((3,))
    body = keras.layers.Concatenate()([first, second])
    model = keras.Model([first, second], keras.layers.Dense(1)(body))
    model.compile("adam", "mse")
    history = training.fit(
        model, [X[:400, :2], X[:400, 2:]], Y[:400], validation=([X[400:, :2], X[400:, 2:]], Y[400:]), epochs=2
    )
    assert len(history.frame) == 2


def test_a_plain_log_gets_one_line_and_a_runner_none():
    code = """if True:
        from helpers import session, training
        session.start()
        import keras, numpy as np
        model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)]); model.compile("sgd", "mse")
        X = np.ones((8, 1)); training.fit(model, X, X[:, 0], validation=(X, X[:, 0]), epochs=3, label="line")
    """
    for progress, lines in (("", 1), ("off", 0)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**__import__("os").environ, "COURSE_PROGRESS": progress},
        )
        assert done.stdout.count("line: epoch 3/3") == lines and "\r" not in done.stdout
        assert done.stdout.count("\n") == 1 + lines and done.stderr == ""


BAD = {
    "missing": (lambda: (np.where(X[:400] > 2, np.nan, X[:400]), Y[:400]), "missing or infinite"),
    "lengths": (lambda: (X[:400], Y[:399]), "400 rows and the target 399"),
    "empty": (lambda: (X[:0], Y[:0]), "is empty"),
    "text": (lambda: (X[:400].astype(str), Y[:400]), "needs numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arrays_are_refused_before_training(keras, name):
    make, message = BAD[name]
    with pytest.raises(CourseError, match=message):
        training.fit(network(keras), *make(), validation=VALID, epochs=1)
    with pytest.raises(CourseError, match="validation"):
        training.fit(network(keras), *TRAIN, validation=make(), epochs=1)


def test_an_exploding_loss_and_an_uncompiled_model_say_what_to_do(keras):
    model = network(keras)
    model.compile(keras.optimizers.SGD(1e9), "mse")
    with pytest.raises(CourseError, match="lower the learning rate"):
        training.fit(model, *TRAIN, validation=VALID, epochs=20, batch_size=32)
    with pytest.raises(CourseError, match="not compiled"):
        training.fit(keras.Sequential([keras.layers.Dense(1)]), *TRAIN, validation=VALID, epochs=1)


def test_a_step_is_traced_once_whatever_the_number_of_rows_and_batches(keras):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tracing is TensorFlow's")
    calls = []

    def loss(actual, forecast):
        calls.append(1)
        return keras.ops.mean(keras.ops.square(actual - keras.ops.squeeze(forecast, -1)))

    model = network(keras)
    model.compile(keras.optimizers.Adam(0.01), loss)
    for rows, batch_size in ((400, 64), (300, 64), (400, 7)):
        training.reset(model, 3)
        training.fit(model, X[:rows], Y[:rows], validation=VALID, epochs=3, batch_size=batch_size)
        assert len(calls) == 2, "one trace of the training step, one of the validation step"


@pytest.mark.parametrize("copies", [1, 800])
def test_validation_in_one_piece_or_many_gives_keras_own_scores(keras, copies):
    """800 copies are more than go through in one piece; the weights of the kept epoch give the loss that was logged."""
    model = network(keras)
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    many = tuple(np.concatenate([part] * copies) for part in VALID)
    frame = training.fit(model, *TRAIN, validation=many, epochs=2, batch_size=64).frame
    assert list(frame) == ["loss", "mae", "val_loss", "val_mae"] and len(frame) == 2
    expected = model.evaluate(*VALID, verbose=0, return_dict=True)
    best = frame["val_loss"].idxmin()
    assert frame.loc[best, "val_loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert frame.loc[best, "val_mae"] == pytest.approx(expected["mae"], rel=1e-5)


@pytest.mark.parametrize("batch_size", [64, 400, 1000, 3, 1])
def test_every_epoch_sees_every_row_once(keras, batch_size):
    """With a learning rate of zero each epoch's loss is that of all rows; 3 and 1 need more than one call an epoch."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    history = training.fit(model, *TRAIN, validation=VALID, epochs=3, batch_size=batch_size, patience=99)
    assert history.frame["loss"].to_numpy() == pytest.approx(model.evaluate(*TRAIN, verbose=0), rel=1e-5)


def test_the_batches_are_new_every_epoch_whole_but_for_the_last_and_decided_by_the_seed(keras):
    """The rows of each step, seen in the graph by a custom loss: the target is the number of its row."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("JAX and PyTorch are fed by Keras")
    import tensorflow as tf

    seen = []

    def loss(actual, forecast):
        tf.py_function(lambda rows: seen.append(rows.numpy().ravel().astype(int).tolist()), [actual], [])
        return keras.ops.mean(keras.ops.square(actual - forecast))

    def rows_of(seed):
        model = network(keras)
        model.compile(keras.optimizers.SGD(0.0), loss)
        seen.clear()
        number = np.arange(301, dtype="float32")  # more batches than one call takes, and a smaller one at the end
        training.fit(model, X[:301], number, validation=(X[:3], number[:3]), epochs=2, batch_size=2, seed=seed)
        batches = [batch for batch in seen if len(batch) < 3]
        return batches[:151], batches[151:]

    first = rows_of(1)
    for epoch in first:
        assert [len(batch) for batch in epoch] == [2] * 150 + [1] and sorted(itertools.chain(*epoch)) == list(
            range(301)
        )
    assert first[0] != first[1]
    tf.random.uniform([3])  # what ran before makes no difference
    assert rows_of(1) == first and rows_of(2)[0] != first[0]


def test_weights_and_named_inputs_of_several_types_equal_a_step_by_hand(keras):
    """One step of SGD on all rows: the weighted mean of the squared errors' gradients."""
    named = {"whole": np.arange(400) % 3, "real": X[:400].astype("float64")}
    inputs = {"whole": keras.Input((), dtype="int32", name="whole"), "real": keras.Input((5,), name="real")}
    one_hot = keras.layers.Embedding(3, 3, embeddings_initializer="identity", trainable=False)(inputs["whole"])
    both = keras.layers.Concatenate()([one_hot, inputs["real"]])
    model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="zeros")(both))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    importance = np.linspace(0, 2, 400)
    training.fit(model, named, Y[:400], validation=(named, Y[:400]), epochs=1, batch_size=400, sample_weight=importance)
    columns = np.column_stack([np.eye(3)[named["whole"]], named["real"]])
    expected = 0.1 * 2 * columns.T @ (importance * Y[:400]) / 400
    assert model.layers[-1].get_weights()[0][:, 0] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_keras_own_fit_works_before_and_after(keras):
    model = network(keras)
    before = model.fit(*TRAIN, epochs=1, verbose=0).history["loss"]
    training.fit(model, *TRAIN, validation=VALID, epochs=1)
    model.compile("sgd", "mae")
    absolute = training.fit(model, *TRAIN, validation=VALID, epochs=1).frame["val_loss"].iloc[0]
    assert absolute == pytest.approx(model.evaluate(*VALID, verbose=0), rel=1e-5), "the new loss, not the old trace"
    assert len(before) == len(model.fit(*TRAIN, epochs=1, verbose=0).history["loss"]) == 1
