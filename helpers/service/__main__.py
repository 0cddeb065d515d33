"""`make serve`: train and export notebook 57's models once, into build/service, then serve one on 127.0.0.1."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from helpers.errors import CourseError
from helpers.service import card, server

HOME = Path(__file__).resolve().parents[2]
NOTEBOOK = HOME / "notebooks" / "57_model_in_service.ipynb"
FOLDER = HOME / "build" / "service"


def lesson() -> dict[str, Any]:
    """What the notebook's cells tagged `service` define: data, networks, cards."""
    names: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if {"service", "parameters"} & set(cell["metadata"].get("tags", [])):
            exec("".join(cell["source"]), names)
    return names


def prepare(folder: Path) -> None:
    """Train, export and promote, where nothing has been promoted yet."""
    if (folder / "history.txt").exists():
        return
    print("No model yet: training one, about a minute.", flush=True)
    card.promote(folder, lesson()["exported"](folder)["logistic"])


def main(arguments: list[str]) -> None:
    """Prepare, then serve in a fresh process, without the training's libraries; arguments go to the server."""
    if "--port" not in arguments and "-h" not in arguments and "--help" not in arguments:
        arguments = ["--port", "8057", *arguments]
    server.bound(int(arguments[arguments.index("--port") + 1])).close() if "--port" in arguments else None
    prepare(FOLDER)
    code = "import sys; from helpers.service.server import run; run(sys.argv[1:])"
    os.chdir(HOME)
    os.execv(sys.executable, [sys.executable, "-c", code, str(FOLDER), *arguments])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CourseError as error:
        sys.exit(str(error))
