"""Documents and voice: the notebook's own functions against libraries, brute force and closed forms."""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import signal
from scipy.fft import dct
from scipy.linalg import solve
from scipy.special import log_softmax, logsumexp

from benchmarks import harness

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "34_documents_and_voice.ipynb"


@pytest.fixture(scope="module")
def lesson() -> dict:
    """The functions of the cells with the tag `functions`."""
    space = {
        "np": np,
        "pd": pd,
        "re": re,
        "dct": dct,
        "solve": solve,
        "logsumexp": logsumexp,
        "log_softmax": log_softmax,
    }
    return harness.lesson("34", space)


@pytest.fixture
def sounds() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [(0.1 * rng.standard_normal(n)).astype("float32") for n in (256, 335, 336, 2_000, 5_123)]


def test_whole_frames_only_and_each_of_its_own_sound(lesson, sounds):
    decibels, frames = lesson["log_mel"](sounds)
    assert frames.tolist() == [1, 1, 2, 22, 61] and decibels.shape == (frames.sum(), 40)
    alone = np.concatenate([lesson["log_mel"]([sound])[0] for sound in sounds])
    np.testing.assert_allclose(decibels, alone, atol=1e-4)
    np.testing.assert_allclose(decibels, lesson["log_mel"](sounds, chunk=7)[0], atol=1e-4)


def test_power_is_that_of_a_library(lesson, sounds):
    sound = sounds[3].astype(float)
    _, _, spectrum = signal.stft(
        sound, 8000, "hann", 256, 256 - 80, boundary=None, padded=False, scaling="spectrum"
    )  # scaled by the window's sum, 128
    expected = 10 * np.log10((128**2 * np.abs(spectrum.T) ** 2) @ lesson["mel_triangles"]().T)
    np.testing.assert_allclose(lesson["log_mel"]([sounds[3]])[0], expected, atol=1e-3)


def test_triangles_share_each_frequency_between_the_outer_peaks(lesson):
    for bands in (10, 20):
        weights = lesson["mel_triangles"](frame=2048, bands=bands)
        nu = np.fft.rfftfreq(2048, 1 / 8000)
        peaks = nu[weights.argmax(axis=1)]
        inside = (nu > peaks[0] + 10) & (nu < peaks[-1] - 10)
        np.testing.assert_allclose(weights.sum(axis=0)[inside], 1)
        assert (np.diff(peaks) > 0).all() and weights.max() <= 1


def test_coefficients_equal_librosa(lesson, sounds):
    librosa = pytest.importorskip("librosa")
    power = librosa.feature.melspectrogram(
        y=sounds[4], sr=8000, n_fft=256, hop_length=80, n_mels=40, center=False, htk=True, norm=None
    )
    theirs = librosa.feature.mfcc(S=librosa.power_to_db(power, top_db=None), n_mfcc=13).T
    np.testing.assert_allclose(lesson["mfcc"](lesson["log_mel"]([sounds[4]])[0]), theirs, atol=0.01)


def test_only_the_first_coefficient_hears_loudness(lesson, sounds):
    soft, loud = (lesson["mfcc"](lesson["log_mel"]([g * sounds[4]])[0]) for g in (1, 4))
    np.testing.assert_allclose(soft[:, 1:], loud[:, 1:], atol=1e-3)
    np.testing.assert_allclose(loud[:, 0] - soft[:, 0], 20 * np.log10(4) * np.sqrt(40), rtol=1e-4)


def test_sum_reader_finds_the_best_triple_and_its_probability(lesson):
    rng = np.random.default_rng(2)
    A, B, C = log_softmax(2 * rng.standard_normal((3, 25, 2, 10)), axis=-1)
    a, b = (grid.ravel() for grid in np.meshgrid(np.arange(100), np.arange(100), indexing="ij"))
    a, b = a[a + b < 100], b[a + b < 100]
    read = lambda logp, x: logp[:, 0, x // 10] + logp[:, 1, x % 10]  # noqa: E731
    every = read(A, a) + read(B, b) + read(C, a + b)
    digits, share = lesson["read_sum"](A, B, C)
    values = digits @ [10, 1]
    assert (values[0] + values[1] == values[2]).all()
    np.testing.assert_array_equal(values[0], a[every.argmax(axis=1)])
    np.testing.assert_array_equal(values[1], b[every.argmax(axis=1)])
    np.testing.assert_allclose(share, np.exp(every.max(axis=1) - logsumexp(every, axis=1)))


@pytest.mark.parametrize("width", [None, 7.0])
def test_kernel_machine_is_kernel_ridge_of_a_library(lesson, width):
    ridge_of = pytest.importorskip("sklearn.kernel_ridge").KernelRidge
    rng = np.random.default_rng(4)
    x, y, weight = rng.normal(3, 2, (80, 6)), rng.integers(0, 10, 80), rng.uniform(1, 10, 80)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0) if width is None else x
    library = ridge_of(alpha=0.1, kernel="rbf", gamma=1 / (width or 6))
    library.fit(scaled[:60], np.eye(10)[y[:60]] - 0.1) if width else library.fit(scaled, np.eye(10)[y] - 0.1, weight)
    if width:
        read = lesson["kernel_machine"](x[:60], y[:60], 0.1, width)
    else:
        read = lesson["kernel_machine"](x, y, 0.1, weight=weight)
    np.testing.assert_allclose(read(x), library.predict(scaled), atol=2e-3)


def test_boxes_side_by_side_are_a_row(lesson):
    boxes = pd.DataFrame(
        [(100, 10, 30, "9.00"), (5, 12, 28, "TOTAL:"), (5, 40, 60, "CASH"), (90, 42, 61, "10.00")],
        columns=["x1", "y1", "y3", "text"],
    )
    assert lesson["printed_rows"](boxes) == ["TOTAL: 9.00", "CASH 10.00"]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (["TOTAL 60.31", "ROUNDED 60.30", "CASH 70.30", "CHANGE 10.00"], 6030),
        (["TOTAL 9.00", "CASH 9.00", "CHANGE 0.00"], 900),
        (["TOTAL 9.00", "CASH 10.00", "CHANGE 2.00"], None),
        (["8.00", "TOTAL 9.00", "CASH 10.00 1.00", "9.00 9.00 0.00"], 900),
        (["TOTAL"], None),
    ],
)
def test_cash_less_change(lesson, rows, found):
    assert lesson["arithmetic"](rows) == found


def test_other_rules(lesson):
    rows = ["TOTAL QTY 2.00", "SUB TOTAL 8.00", "TOTAL:", "9.00", "CASH 20.00", "PRICE 9.000"]
    assert lesson["named"](rows) == 900 and lesson["largest"](rows) == 2000
    assert lesson["first"](["TOTAL 7.00", *rows]) == 700 and lesson["first"](rows) == 900
    assert lesson["named"](["CASH 1.00"]) is None and lesson["largest"]([]) is None


def test_misread_changes_as_many_characters_as_it_should(lesson):
    rows, rng = ["TOTAL 123.45", "ABC 9"] * 400, np.random.default_rng(3)
    seen = lesson["misread"](rows, 0.1, rng)
    old, new = "\n".join(rows), "\n".join(seen)
    changed = np.array([a != b for a, b in zip(old, new, strict=True)])
    letters, digits = (np.array([test(c) for c in old]) for test in (str.isalpha, str.isdigit))
    assert abs(changed[letters].mean() - 0.1) < 0.02 and abs(changed[digits].mean() - 0.1) < 0.02
    assert not changed[~letters & ~digits].any()
    assert all(a.isdigit() == b.isdigit() for a, b in zip(old, new, strict=True))
    assert lesson["misread"](rows, 0.0, rng) == rows
    only = "\n".join(lesson["misread"](rows, 0.5, rng, letters=False))
    assert all(a == b for a, b in zip(old, only, strict=True) if a.isalpha())


def test_the_benchmark_finds_what_it_times():
    sys.path.insert(0, str(NOTEBOOK.parents[1]))
    from benchmarks import mfcc

    names = mfcc.functions()
    sounds = mfcc.recordings(3)
    assert names["mfcc"](names["log_mel"](sounds)[0]).shape[1] == 13
