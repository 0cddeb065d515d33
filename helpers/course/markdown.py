"""Markdown of notebooks as prose."""

from __future__ import annotations

import re

from helpers.notebooks import text

FENCE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.M | re.S)


def prose(cell: dict) -> str:
    """A Markdown cell without code, in which # and [] mean something else; '' for other cells."""
    return FENCE.sub("", text(cell["source"])) if cell["cell_type"] == "markdown" else ""
