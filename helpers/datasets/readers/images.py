"""Pictures: MNIST's IDX files, and photographed receipts with what is printed on them."""

from __future__ import annotations

import io
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Table
from helpers.datasets.checks import Damaged
from helpers.datasets.readers import archives

MOST = 40_000_000
"""Points a picture may have: four times the largest receipt of the course."""


def idx(content: dict[str, bytes], table: Table) -> pd.DataFrame:
    """Labels, then images: a magic number and the sizes (big endian), then unsigned bytes; a row an image."""
    parts = {}
    for path, raw in content.items():
        raw = archives.unpack(raw)
        magic, count = struct.unpack_from(">ii", raw)
        if magic not in (2049, 2051):
            raise Damaged(f"{path} is not a whole IDX file")
        start, width = (8, 1) if magic == 2049 else (16, 28 * 28)
        if len(raw) != start + count * width:
            raise Damaged(f"{path} is not a whole IDX file: {len(raw):,} bytes for {count:,} items")
        parts[magic] = np.frombuffer(raw, np.uint8, offset=start).reshape(count, width)
    return pd.DataFrame(np.hstack([parts[2049], parts[2051]]), columns=list(table.columns))


def receipts(content: dict[str, bytes], table: Table) -> pd.DataFrame:
    """A row a receipt: NUMBER.jpg, and beside it NUMBER.json with the fields to be found in it."""
    fields = {PurePosixPath(path).stem: raw for path, raw in content.items() if path.endswith(".json")}
    pictures = {PurePosixPath(path).stem: raw for path, raw in content.items() if path.endswith(".jpg")}
    if fields.keys() != pictures.keys():
        raise Damaged(f"has {len(pictures)} pictures and {len(fields)} keys, or they are not of the same receipts")
    frame = pd.DataFrame([json.loads(fields[number]) for number in pictures])
    with ThreadPoolExecutor() as pool:  # decoding runs beside Python
        images = list(pool.map(_picture, pictures.values()))
    sizes = np.array([image.shape[:2] for image in images])
    frame.insert(0, "receipt", list(pictures))
    return frame.assign(height=sizes[:, 0], width=sizes[:, 1], image=pd.Series(images, dtype=object))


def _picture(raw: bytes) -> np.ndarray:
    """Height × width × 3 (red, green, blue), uint8."""
    from PIL import Image

    with Image.open(io.BytesIO(raw), formats=["JPEG"]) as image:
        if image.width * image.height > MOST:
            raise Damaged(f"has a picture of {image.width:,} × {image.height:,} points")
        return np.array(image.convert("RGB"))
