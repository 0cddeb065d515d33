"""Notebook 34's cepstral coefficients against librosa: equal numbers first, then the time."""

from __future__ import annotations

import re

import numpy as np
from scipy.fft import dct
from scipy.special import logsumexp

from benchmarks.harness import Result, compare, installed, lesson, slope

RATE = 8000


def functions() -> dict:
    """`log_mel`, `mfcc` and their constants."""
    return lesson("34", {"np": np, "re": re, "dct": dct, "logsumexp": logsumexp})


def recordings(n: int, seed: int = 7) -> list[np.ndarray]:
    """Gliding tones with noise, a quarter to half a second each, as float32 within -1 and 1."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(RATE // 4, RATE // 2, n)
    starts, ends = rng.uniform(200, 3500, (2, n))
    return [
        (0.4 * np.sin(2 * np.pi * np.cumsum(np.linspace(a, b, size)) / RATE) + 0.01 * rng.standard_normal(size)).astype(
            "float32"
        )
        for size, a, b in zip(lengths, starts, ends, strict=True)
    ]


def theirs(sounds: list[np.ndarray], names: dict) -> np.ndarray:
    """Librosa's coefficients of all sounds, a frame a row: HTK's mel, triangles of height 1, whole frames only."""
    import librosa

    out = []
    for sound in sounds:
        power = librosa.feature.melspectrogram(
            y=sound, sr=RATE, n_fft=names["FRAME"], hop_length=names["HOP"], n_mels=names["BANDS"], center=False,
            htk=True, norm=None,
        )  # fmt: skip
        out.append(librosa.feature.mfcc(S=librosa.power_to_db(power, top_db=None), n_mfcc=13).T)
    return np.concatenate(out)


def run() -> list[Result]:
    """A hundred recordings at once, as the notebook has them, against librosa's one after the other."""
    names = functions()

    def make(scale: float):
        sounds = recordings(int(20 * scale))
        return lambda: names["mfcc"](names["log_mel"](sounds)[0]), len(names["log_mel"](sounds)[0])

    results = [slope("cepstral coefficients", make)]
    if not installed("librosa"):
        return results
    sounds = recordings(100)
    ours, other = names["mfcc"](names["log_mel"](sounds)[0]), theirs(sounds, names)
    gap = float(np.abs(ours - other).max())
    result = compare(
        "cepstral coefficients of 100 recordings",
        {"ours": lambda: names["mfcc"](names["log_mel"](sounds)[0]), "librosa": lambda: theirs(sounds, names)},
        repeats=3,
        rows=len(ours),
    )
    result.goal("largest difference of a coefficient from librosa ≤ 0.01 dB", gap, high=0.01)
    result.at_least(1, "librosa")
    return [*results, result]
