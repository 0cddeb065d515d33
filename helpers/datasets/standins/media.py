"""Pictures and sounds: blobs for digits, printed receipts, tones for spoken digits."""

from __future__ import annotations

import functools

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


SHOPS = ["KEDAI MAJU", "SUN LEE TRADING", "PASAR MINI INDAH", "BOOK CORNER", "HARDWARE HOUSE"]
GOODS = ["RICE 5KG", "PEN BLUE", "SCREWS M4", "MILK 1L", "TEA", "BREAD", "PAINT", "NOTEBOOK A5", "BATTERY AA", "SOAP"]


@functools.cache
def _shop(rows: int, lines: int) -> list[dict]:
    """Printed receipts that add up: what is to be found in each, its lines with their boxes, and its picture."""
    from PIL import Image, ImageDraw, ImageFont

    rng, font, made = np.random.default_rng(7), ImageFont.load_default(16), []
    for number in range(rows):
        company = f"{SHOPS[rng.integers(len(SHOPS))]} SDN BHD"
        address = f"NO {rng.integers(1, 200)}, JALAN DAMAI {rng.integers(1, 9)}, 81100 JOHOR BAHRU"
        date = f"{rng.integers(1, 29):02}/{rng.integers(1, 13):02}/2018"
        prices = rng.integers(50, 3000, (lines - 6) // 2) / 100
        printed = [company, address, f"DATE: {date}"]
        for price in prices:
            printed += [GOODS[rng.integers(len(GOODS))], f"    1 X {price:.2f}    {price:.2f}"]
        total = f"{prices.sum():.2f}"
        printed += [f"TOTAL: {total}", f"CASH {np.ceil(prices.sum() / 50) * 50:.2f}"]
        printed += ["THANK YOU"] * (lines - len(printed))
        image = Image.new("RGB", (460, 24 * lines + 40), "white")
        draw, boxes = ImageDraw.Draw(image), []
        for i, text in enumerate(printed):
            draw.text((20, 20 + 24 * i), text, "black", font)
            boxes.append(tuple(map(int, draw.textbbox((20, 20 + 24 * i), text, font))))
        pixels = np.array(image).astype(int) - rng.integers(0, 30, (image.height, image.width, 1))
        fields = {"receipt": f"{number:03}", "company": company, "date": date, "address": address, "total": total}
        made.append(fields | {"lines": printed, "boxes": boxes, "image": pixels.clip(0, 255).astype(np.uint8)})
    return made


def receipts(table: Table, rng: np.random.Generator, lines: int) -> pd.DataFrame:
    """The pictures of made-up receipts of so many lines, and the fields to be found in them."""
    frame = pd.DataFrame(_shop(table.rows, lines)).drop(columns=["lines", "boxes"])
    return frame.assign(height=[len(image) for image in frame["image"]], width=460)[list(table.columns)]


def receipt_lines(table: Table, rng: np.random.Generator, lines: int) -> pd.DataFrame:
    """The lines of the same receipts and the corners of their boxes, clockwise from the top left."""
    rows = [
        (each["receipt"], text, *box)
        for each in _shop(table.rows // lines, lines)
        for text, box in zip(each["lines"], each["boxes"], strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["receipt", "text", "x1", "y1", "x3", "y3"])
    return frame.assign(x2=frame["x3"], y2=frame["y1"], x4=frame["x1"], y4=frame["y3"])[list(table.columns)]


def recordings(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Two tones that glide as the digit says, at the speaker's pitch, with noise; every speaker says every digit."""
    column = table.columns
    speakers, rate = column["speaker"].levels, int(column["rate"].low)
    takes = table.rows // (10 * len(speakers))
    grid = pd.MultiIndex.from_product([range(10), speakers, range(takes)], names=["digit", "speaker", "take"])
    frame = grid.to_frame(index=False)
    glides = np.random.default_rng(7).uniform(300, 2_500, (10, 2, 2))  # digit, tone, its beginning and end
    samples = []
    for digit, speaker in zip(frame["digit"], frame["speaker"], strict=True):
        n = int(rate * rng.uniform(0.25, 0.55))
        pitch = 1 + 0.05 * speakers.index(speaker) + 0.03 * rng.normal()
        paths = np.linspace(*glides[digit].T, n) * pitch
        sound = np.sin(2 * np.pi * np.cumsum(paths, axis=0) / rate).sum(axis=1) * np.hanning(n)
        samples.append((6_000 * sound + 300 * rng.normal(size=n)).astype(np.int16))
    return frame.assign(rate=rate, samples=pd.Series(samples, dtype=object))
