"""Sound: a tar.gz of WAV files whose names say what they hold."""

from __future__ import annotations

import io
import wave
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Table
from helpers.datasets.checks import Damaged
from helpers.datasets.readers import archives


def recordings(content: dict[str, bytes], table: Table) -> pd.DataFrame:
    """A row a recording (mono, 16 bit): what its name says, at `_`, in the columns of `header`; rate; samples."""
    [raw] = content.values()
    files, header = archives.untar(raw, ".wav"), table.options["header"]
    words = [PurePosixPath(path).stem.split("_") for path in files]
    if not files or any(len(each) != len(header) for each in words):
        raise Damaged(f"has {len(files)} recordings, or one whose name is not {'_'.join(header)}.wav")
    frame = pd.DataFrame(words, columns=header)
    rates, samples = zip(*map(_samples, files.values()), strict=True)
    return frame.assign(rate=rates, samples=pd.Series(samples, dtype=object))


def _samples(raw: bytes) -> tuple[int, np.ndarray]:
    with wave.open(io.BytesIO(raw)) as sound:
        if sound.getnchannels() != 1 or sound.getsampwidth() != 2:
            raise Damaged(f"has a recording of {sound.getnchannels()} channels, {8 * sound.getsampwidth()} bit")
        return sound.getframerate(), np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.int16)
