"""Everything that carries the public address: badges, set-up cells, README; all made from [tool.course]."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from helpers.errors import CourseError
from helpers.notebooks import HEADING, Notebook, dumps, root, select, settings, tags, text, write_atomically

BLOCK = re.compile(r"<!-- badges -->.*?<!-- /badges -->", re.S)
CLONE = re.compile(r"(git clone https://github\.com/)[^\s]+")
START = "00_start_here.ipynb"


def set_address(repository: str | None, branch: str | None) -> None:
    """Write the public address into pyproject.toml; raises CourseError unless it looks like OWNER/NAME."""
    if repository is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}", repository):
        raise CourseError(f"{repository!r} is not an address of the form OWNER/NAME, such as ada/finance-course.")
    if branch is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", branch):
        raise CourseError(f"{branch!r} is not the name of a branch.")
    path = root() / "pyproject.toml"
    content = path.read_text(encoding="utf-8")
    for key, value in (("repository", repository), ("branch", branch)):
        if value is not None:
            content, count = re.subn(
                rf'(\[tool\.course\][^\[]*?^{key} = )"[^"]*"', rf'\g<1>"{value}"', content, count=1, flags=re.M | re.S
            )
            if not count:
                raise CourseError(f'pyproject.toml has no line `{key} = "…"` under [tool.course]; add it.')
    if content != path.read_text(encoding="utf-8"):
        write_atomically(path, content)


def setup_source() -> str:
    """The set-up cell that every notebook must carry, byte for byte."""
    template = resources.files("helpers.course").joinpath("templates/setup_cell.py").read_text(encoding="utf-8")
    address = settings()
    return template.replace("@REPOSITORY@", address["repository"]).replace("@BRANCH@", address["branch"]).strip()


def block(name: str) -> str:
    """The badges of the notebook with this file name; the markers stand on lines of their own, else Markdown sleeps."""
    repository, branch = settings()["repository"], settings()["branch"]
    colab = f"https://colab.research.google.com/github/{repository}/blob/{branch}/notebooks/{name}"
    place = quote(f"lab/tree/notebooks/{name}", safe="")
    binder = f"https://mybinder.org/v2/gh/{repository}/{quote(branch, safe='')}?urlpath={place}"
    return (
        "<!-- badges -->\n"
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab}) "
        f"[![Launch on Binder](https://mybinder.org/badge_logo.svg)]({binder})\n"
        "<!-- /badges -->"
    )


def _with_badges(content: str, badges: str) -> str:
    """The Markdown with its badges replaced, or put under the heading where it has none."""
    if BLOCK.search(content):
        return BLOCK.sub(lambda _: badges, content, count=1)
    return HEADING.sub(lambda found: f"{found[0]}\n\n{badges}", content, count=1)


def renewed(notebook: Notebook) -> dict:
    """The notebook's content with badges and set-up cell as they must be."""
    raw = json.loads(json.dumps(notebook.raw))
    for cell in raw["cells"]:
        if "title" in tags(cell):
            cell["source"] = _with_badges(text(cell["source"]), block(notebook.path.name))
        elif "setup" in tags(cell):
            cell["source"] = setup_source()
    return raw


def renew(write: bool) -> list[Path]:
    """The files whose badges or set-up cell differ from the address; rewrites them when `write` is true."""
    changed = []
    for notebook in select():
        fresh = dumps(renewed(notebook))
        if fresh != dumps(notebook.raw):
            changed.append(notebook.path)
            if write:
                write_atomically(notebook.path, fresh)
    readme = root() / "README.md"
    if readme.exists():
        content = readme.read_text(encoding="utf-8")
        fresh = BLOCK.sub(lambda _: block(START), content, count=1)
        fresh = CLONE.sub(lambda found: found[1] + settings()["repository"], fresh)
        if fresh != content:
            changed.append(readme)
            if write:
                write_atomically(readme, fresh)
    return changed
