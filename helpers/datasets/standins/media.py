"""Pictures and sounds: blobs for digits, printed receipts, tones for spoken digits."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Table


def digits(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Noisy copies of ten random blobs, shifted by up to two pixels."""
    templates = np.zeros((10, 28, 28))
    templates[:, 8:20, 8:20] = np.kron(rng.uniform(size=(10, 4, 4)) > 0.45, np.ones((3, 3)))
    labels = rng.integers(0, 10, table.rows)
    shifts = rng.integers(-2, 3, (table.rows, 2))
    images = np.stack([np.roll(templates[d], tuple(s), (0, 1)) for d, s in zip(labels, shifts, strict=True)])
    pixels = (images * rng.uniform(120, 255, images.shape)).astype("uint8").reshape(table.rows, -1)
    return pd.DataFrame(np.hstack([labels[:, None].astype("uint8"), pixels]), columns=list(table.columns))


def receipts(table: Table, rng: np.random.Generator) -> pd.DataFrame: ...


def receipt_lines(table: Table, rng: np.random.Generator) -> pd.DataFrame: ...


def recordings(table: Table, rng: np.random.Generator) -> pd.DataFrame: ...
