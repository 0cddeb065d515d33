"""A model as two files, model.keras and card.json: written, checked by hash, and scored without Keras."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from helpers.errors import CourseError
from helpers.service.ledger import sync_folder

LARGEST = 100_000_000  # bytes of a model, unpacked
BROKEN = (KeyError, ValueError, OSError, TypeError, AttributeError, RuntimeError, zipfile.BadZipFile, zlib.error)
NEEDED = ("name", "fields", "threshold", "reference", "training", "limits", "model_sha256", "version")
PARTS = ("name", "unit", "meaning", "whole", "low", "high", "squeeze", "centre", "scale")  # of each field


def digest(content: bytes) -> str:
    """SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def version_of(card: dict) -> str:
    """A card's version: the first 32 digits of the hash of all that it says, the hash of its model file included."""
    rest = {name: value for name, value in card.items() if name != "version"}
    return digest(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode())[:32]


def export(network: Any, card: dict, folder: Path) -> str:
    """Write a Keras model of Dense layers and its card into a new folder of that name; returns the version."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as draft:
        model = Path(draft) / "model.keras"
        network.save(model)
        card = {**card, "model_sha256": digest(model.read_bytes())}
        card["version"] = version_of(card)
        (Path(draft) / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False), encoding="utf-8")
        Model(card, _weights(model.read_bytes()))  # what could not be loaded is not exported
        place = folder / card["version"]
        place.mkdir(exist_ok=True)
        for file in Path(draft).iterdir():
            with open(file, "rb+") as opened:
                os.fsync(opened.fileno())
            os.replace(file, place / file.name)
        sync_folder(place)
    sync_folder(folder)
    return card["version"]


def load(folder: Path) -> Model:
    """The model in a folder; raises CourseError unless both files are, byte for byte, what was exported."""
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        content = (folder / "model.keras").read_bytes()
    except (OSError, ValueError) as error:
        raise CourseError(
            f"Model {folder.name}: a file cannot be read ({type(error).__name__}). Export it again."
        ) from None
    if lacks := [name for name in NEEDED if not isinstance(card, dict) or name not in card]:
        raise CourseError(f"Model {folder.name}: the card lacks {', '.join(lacks)}. Export it again.")
    if version_of(card) != card["version"] or card["version"] != folder.name:
        raise CourseError(f"Model {folder.name}: the card was changed after the export. Take the exported one.")
    if digest(content) != card["model_sha256"]:
        raise CourseError(f"Model {folder.name}: model.keras is not the exported file. Take the exported one.")
    return Model(card, _weights(content))


def _elsewhere(part: Any, file: Any) -> bool:
    """Whether the numbers of a data set lie in another file than this one."""
    return bool(part.is_virtual or part.external or part.file.filename != file.filename)


def _weights(content: bytes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernels and biases of a .keras file of Dense layers, relu between them: read as data, so no code of it runs."""
    import h5py

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > LARGEST:
                raise CourseError(f"The model is larger than {LARGEST:,} bytes unpacked.")
            config = json.loads(archive.read("config.json"))
            layers = [layer for layer in config["config"]["layers"] if layer["class_name"] != "InputLayer"]
            kinds = [(layer["class_name"], layer["config"].get("activation")) for layer in layers]
            if kinds != [("Dense", "relu")] * (len(kinds) - 1) + [("Dense", "linear")]:
                raise CourseError(f"The model holds {kinds}: only Dense layers are served, relu and, last, linear.")
            with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
                names = ["dense" + (f"_{k}" if k else "") for k in range(len(kinds))]
                sets = [[file[f"layers/{name}/vars/{k}"] for k in (0, 1)] for name in names]
                if any(_elsewhere(part, file) for pair in sets for part in pair):
                    raise CourseError("The model's weights lie in another file: it is not read.")
                both = [[np.array(part, float) for part in pair] for pair in sets]
    except BROKEN as error:
        raise CourseError(f"model.keras is no Keras model of Dense layers ({type(error).__name__}).") from None
    return [(kernel, bias) for kernel, bias in both]


class Model:
    """A card and its weights; scores rows of raw fields."""

    def __init__(self, card: dict, weights: list[tuple[np.ndarray, np.ndarray]]) -> None:
        """Raises CourseError where the fields of the card do not fit the weights."""
        fields = card["fields"]
        if any(set(PARTS) - set(field) for field in fields) or len(fields) != len(weights[0][0]):
            raise CourseError("The card's fields are not those of the network: export both together.")
        shapes = [(kernel.shape[1:], bias.shape) for kernel, bias in weights]
        loose = any(high[0].shape[0] != low[0].shape[1] for low, high in pairwise(weights))
        if loose or any(wide != high for wide, high in shapes) or shapes[-1][1] != (1,):
            raise CourseError("The network's layers do not fit each other, or it has not one output.")
        if not all(np.isfinite(part).all() for pair in weights for part in pair):
            raise CourseError("The network holds weights that are no finite numbers.")
        if len(card["reference"]["edges"]) + 1 != len(card["reference"]["shares"]):
            raise CourseError("The card's reference needs one share more than it has edges.")
        self.card, self.weights, self.version = card, weights, card["version"]
        self.names = [field["name"] for field in fields]
        self._squeeze = np.array([field["squeeze"] for field in fields])
        self._centre, self._scale = (np.array([field[part] for field in fields]) for part in ("centre", "scale"))
        if not (np.isfinite([self._centre, self._scale]).all() and self._scale.all()):
            raise CourseError("The card's centres and scales must be finite numbers, and no scale 0.")

    def scores(self, rows: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
        """Probabilities of default (n,) of raw rows (n, fields).

        A row's bits do not depend on the rows beside it: sums run over the inputs in their order, in float64, where a
        matrix product may choose another order for another number of rows.
        """
        x = np.asarray(rows, float)
        x = np.where(self._squeeze, np.sign(x) * np.log1p(np.abs(x) / 1000), x)
        h = (x - self._centre) / self._scale
        for number, (kernel, bias) in enumerate(self.weights):
            h = np.maximum(h, 0.0) if number else h
            total = np.zeros((len(h), len(bias)))
            for column, weights in zip(h.T, kernel, strict=True):
                total += column[:, None] * weights
            h = total + bias
        return 1.0 / (1.0 + np.exp(-h[:, 0]))

    def decision(self, score: float) -> str:
        """What the bank does with a client of this score."""
        return "keep" if score <= self.card["threshold"] else "cut"


def promote(folder: Path, version: str) -> None:
    """Make a version that loads the current one, in one step that is complete or has not happened.

    A server reads what is current when it starts. One promotion at a time: of two at once one may be lost.
    """
    load(folder / version)
    history = folder / "history.txt"
    known = history.read_text(encoding="utf-8").split() if history.exists() else []
    draft = folder / "history.draft"
    with open(draft, "w", encoding="utf-8") as file:
        file.write("\n".join([*known, version]) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, history)
    sync_folder(folder)


def current(folder: Path) -> Model:
    """The model that was promoted last."""
    history = folder / "history.txt"
    if not history.exists():
        raise CourseError("No version has been promoted yet: card.promote(folder, version) does it.")
    return load(folder / history.read_text(encoding="utf-8").split()[-1])


def roll_back(folder: Path) -> str:
    """Make the version before the current one current again, by one more line of the history; returns it."""
    known = (folder / "history.txt").read_text(encoding="utf-8").split()
    before = known[: known.index(known[-1])]  # a version's first place: going back twice goes back two versions
    if not before:
        raise CourseError("There is no earlier version to go back to.")
    promote(folder, before[-1])
    return before[-1]
