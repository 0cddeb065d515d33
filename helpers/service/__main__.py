"""`make serve`: train and export notebook 57's models once, into build/service, then serve one on 127.0.0.1."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from helpers.errors import CourseError
from helpers.service import card, server
from helpers.service.client import PROGRAM

HOME = Path(__file__).resolve().parents[2]
NOTEBOOK = HOME / "notebooks" / "57_model_in_service.ipynb"
FOLDER = HOME / "build" / "service"
PORT = 8057


def _cells() -> list[str]:
    """The notebook's cells that the models rest on."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    wanted = {"service", "parameters"}
    return ["".join(cell["source"]) for cell in cells if wanted & set(cell["metadata"].get("tags", []))]


def _source() -> str:
    return card.digest("\n".join(_cells()).encode())


def lesson() -> dict[str, Any]:
    """What the notebook's cells tagged `service` define: data, networks, cards."""
    names: dict[str, Any] = {}
    for source in _cells():
        exec(source, names)
    return names


def prepare(folder: Path, anew: bool) -> None:
    """Train, export and promote, where nothing has been promoted yet or `anew` says so; the ledger stays."""
    source, note = _source(), folder / "source.txt"
    if (folder / "history.txt").exists() and not anew:
        if not note.exists() or note.read_text(encoding="utf-8") != source:
            print(
                'Notebook 57 has changed since this model was exported; make serve ARGS="--anew" trains a new version.'
            )
        return
    print("Training the models of notebook 57, about a minute.", flush=True)
    versions = lesson()["exported"](folder)
    card.promote(folder, versions["logistic"])
    note.write_text(source, encoding="utf-8")
    print(f"In service: the logistic regression. The network may be its shadow: --shadow {versions['network']}")


def main(arguments: list[str]) -> None:
    """Prepare, then serve in a fresh process, without the training's libraries; arguments go to the server."""
    anew = "--anew" in arguments
    arguments = [argument for argument in arguments if argument != "--anew"]
    if "-h" not in arguments and "--help" not in arguments:
        if not any(argument.startswith("--port") for argument in arguments):
            arguments = ["--port", str(PORT), *arguments]
            server.bound(PORT).close()  # a port that is taken is said before the training
        prepare(FOLDER, anew)
    os.execv(sys.executable, [sys.executable, "-c", PROGRAM, str(HOME), str(FOLDER), *arguments])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CourseError as error:
        sys.exit(str(error))
