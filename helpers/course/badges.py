"""What `course badges` writes, never a hand: badges, set-up cells, the README's map and table of times."""

from __future__ import annotations

import json
import re
import subprocess
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from helpers.course.markdown import prose
from helpers.errors import CourseError
from helpers.notebooks import (
    HEADING,
    Notebook,
    dumps,
    package_name,
    parts,
    root,
    select,
    settings,
    tags,
    text,
    write_atomically,
)

BLOCK = re.compile(r"<!-- badges -->.*?<!-- /badges -->", re.S)
LANGUAGES = re.compile(r"<!-- languages -->.*?<!-- /languages -->", re.S)
CLONE = re.compile(r"(git clone https://github\.com/)[^\s]+")
REMOTE = re.compile(r"(?:https://|ssh://git@|git@)github\.com[/:](?P<address>[^/\s]+/[^/\s]+?)(?:\.git)?/?")
MAP, TIMES, GRAPH, MINUTES = (
    re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.S) for name in ("map", "times", "graph", "minutes")
)
START = "00_start_here.ipynb"
PINNED = ("helpers", "data", "pyproject.toml")  # what a notebook on Colab takes from the clone
UNSET = (
    "*Colab and Binder: this copy of the course has no public address yet. In a clone of your own repository, "
    "`course badges` writes the links.*"
)


def set_address(repository: str | None, branch: str | None, commit: str | None = None) -> None:
    """Write the public address, and the commit that set-up cells fetch, into pyproject.toml (None: as it is).

    Raises CourseError unless the address looks like OWNER/NAME, and where pyproject.toml has no line to write to.
    """
    if repository is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}", repository):
        raise CourseError(f"{repository!r} is not an address of the form OWNER/NAME, such as ada/finance-course.")
    if branch is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", branch):
        raise CourseError(f"{branch!r} is not the name of a branch.")
    path = root() / "pyproject.toml"
    content = path.read_text(encoding="utf-8")
    for key, value in (("repository", repository), ("branch", branch), ("commit", commit)):
        if value is not None and value != settings().get(key, ""):
            content, count = re.subn(
                rf'(\[tool\.course\][^\[]*?^{key} = )"[^"]*"', rf'\g<1>"{value}"', content, count=1, flags=re.M | re.S
            )
            if not count:
                raise CourseError(f'pyproject.toml has no line `{key} = "…"` under [tool.course]; add it.')
    if content != path.read_text(encoding="utf-8"):
        write_atomically(path, content)


def own_address() -> str | None:
    """OWNER/NAME of the clone's remote `origin` where that lies on GitHub, else None."""
    found = REMOTE.fullmatch(_git("remote", "get-url", "origin") or "")
    return found["address"] if found else None


def own_commit() -> str:
    """The commit to pin: the pinned one while helpers and data are still as they were there, else HEAD; "" without git.

    Raises CourseError where they have changes that no commit holds: a reader could not fetch them.
    """
    head = _git("rev-parse", "--verify", "HEAD")
    if not head or _git("rev-parse", "--show-toplevel") != str(root().resolve()):
        return ""
    if _git("status", "--porcelain", "--", *PINNED[:2]):
        raise CourseError("helpers or data have changes that no commit holds: commit them, then type `course badges`.")
    pinned = settings().get("commit", "")
    return pinned if pinned and _same(pinned, head) else head


def pin_problem() -> str | None:
    """Why the pinned commit does not serve the notebooks as they are, in a few words; None where it does.

    Without an address, without git and in a shallow clone that lacks the commit there is nothing to compare.
    """
    pinned, head = settings().get("commit", ""), _git("rev-parse", "--verify", "HEAD")
    if not settings()["repository"] or not head or _git("rev-parse", "--show-toplevel") != str(root().resolve()):
        return None
    if not pinned:
        return "the set-up cells pin no commit"
    if not _git("rev-parse", "--verify", "-q", f"{pinned}^{{commit}}"):
        return (
            None
            if _git("rev-parse", "--is-shallow-repository") == "true"
            else f"{pinned[:9]} is no commit of this clone"
        )
    return None if _same(pinned, head) else f"helpers or data have changed since the pinned commit {pinned[:9]}"


def _same(one: str, other: str) -> bool:
    """Whether two commits agree in all that a notebook takes from the clone; the pin itself does not count."""
    if _git("diff", "--name-only", one, other, "--", *PINNED[:2]) != "":
        return False
    projects = [_git("show", f"{commit}:{PINNED[2]}") for commit in (one, other)]
    pin = re.compile(r'^commit = "[^"]*"$', re.M)
    return None not in projects and pin.sub("", projects[0]) == pin.sub("", projects[1])


def _git(*arguments: str) -> str | None:
    """What git says about the course's folder, None where it fails or is missing."""
    try:
        done = subprocess.run(["git", "-C", str(root()), *arguments], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def setup_source(packages: list[str] | tuple[str, ...] = ()) -> str:
    """The set-up cell that every notebook must carry, byte for byte; it names the packages of the notebook's row."""
    template = resources.files("helpers.course").joinpath("templates/setup_cell.py").read_text(encoding="utf-8")
    repository, branch = settings()["repository"], settings()["branch"]
    names = "".join(f", {json.dumps(package_name(name))}" for name in packages)
    filled = template.replace("@ADDRESS@", f"https://github.com/{repository}" if repository else "")
    filled = filled.replace("@BRANCH@", branch).replace("@COMMIT@", settings().get("commit", "") if repository else "")
    return filled.replace('colab.py"]', f'colab.py"{names}]').strip()


def block(name: str) -> str:
    """The badges of the notebook with this file name; the markers stand on lines of their own, else Markdown sleeps."""
    repository, branch = settings()["repository"], settings()["branch"]
    if not repository:
        return f"<!-- badges -->\n{UNSET}\n<!-- /badges -->"
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
            cell["source"] = setup_source(notebook.packages)
    return raw


def _map(notebooks: list[Notebook]) -> str:
    """The parts of the course, what each covers, and its notebooks with links."""
    rows = ["<!-- map -->", "| part | what it covers | notebooks that are ready |", "|---|---|---|"]
    for digit, (title, _, covers) in parts().items():
        links = [
            f"[{nb.number} {nb.slug.replace('_', ' ').capitalize()}](notebooks/{nb.path.name})"
            for nb in notebooks
            if nb.number[0] == digit
        ]
        rows.append(f"| {digit} · {title} | {covers} | {', '.join(links)} |")
    return "\n".join([*rows, "<!-- /map -->"])


def _times(notebooks: list[Notebook]) -> str:
    """Seconds and peak memory of the run that made each notebook's outputs, from its stamp."""
    rows = ["<!-- times -->", "| notebook | seconds | peak MB |", "|---|---|---|"]
    stamped = [notebook for notebook in notebooks if {"seconds", "peak_mb"} <= set(notebook.stamp)]
    rows += [f"| {nb.label} | {nb.stamp['seconds']:.0f} | {nb.stamp['peak_mb']:,} |" for nb in stamped]
    if stamped:
        total = sum(nb.stamp["seconds"] for nb in stamped)
        rows.append(f"| all, one after another | {total:.0f} | {max(nb.stamp['peak_mb'] for nb in stamped):,} |")
    return "\n".join([*rows, "<!-- /times -->"])


def _needs(notebooks: list[Notebook]) -> dict[str, list[str]]:
    """The numbers that each notebook's row Needs names, without those that another of them leads to."""
    ready = {notebook.number for notebook in notebooks}
    named = {
        nb.number: [n for n in re.findall(r"\[(\d\d)\]", nb.table.get("needs", "")) if n in ready] for nb in notebooks
    }

    def above(number: str, seen: frozenset[str] = frozenset()) -> set[str]:
        rest = [n for n in named[number] if n not in seen]
        return set(rest).union(*(above(n, seen | {number}) for n in rest))

    return {
        number: [n for n in direct if not any(n in above(other) for other in direct)]
        for number, direct in named.items()
    }


def _graph(notebooks: list[Notebook]) -> str:
    """What rests on what, as a Mermaid graph."""
    rows = ["<!-- graph -->", "```mermaid", "graph LR"]
    rows += [f'  n{nb.number}["{nb.number} {nb.slug.replace("_", " ")}"]' for nb in notebooks]
    rows += [f"  n{before} --> n{number}" for number, needs in _needs(notebooks).items() for before in sorted(needs)]
    return "\n".join([*rows, "```", "<!-- /graph -->"])


def _minutes(notebooks: list[Notebook]) -> str:
    """Minutes of reading and exercises, by the words and cells there are, and seconds of the stamped run."""
    rows = ["<!-- minutes -->", "| notebook | reading, min | exercises | run, s |", "|---|---|---|---|"]
    for nb in notebooks:
        kinds = [cell["cell_type"] for cell in nb.cells]
        words = sum(len(re.findall(r"\w+", prose(cell))) for cell in nb.cells)
        asked = sum("check" in tags(cell) for cell in nb.cells)
        minutes = 5 * round((words / 150 + kinds.count("code") / 2 + 15 * asked) / 5)
        seconds = f"{nb.stamp['seconds']:.0f}" if "seconds" in nb.stamp else "–"
        rows.append(f"| {nb.label} | {minutes} | {asked} | {seconds} |")
    return "\n".join([*rows, "<!-- /minutes -->"])


def renewed_teaching(content: str) -> str:
    """The page for teachers with graph and minutes as the notebooks have them."""
    notebooks = select()
    content = GRAPH.sub(lambda _: _graph(notebooks), content, count=1)
    return MINUTES.sub(lambda _: _minutes(notebooks), content, count=1)


def renewed_readme(content: str) -> str:
    """The README with badges, address, map and times as the notebooks and pyproject.toml have them."""
    notebooks = select()
    for place, fresh in ((BLOCK, block(START)), (MAP, _map(notebooks)), (TIMES, _times(notebooks))):
        content = place.sub(lambda _, fresh=fresh: fresh, content, count=1)
    return CLONE.sub(lambda found: found[1] + (settings()["repository"] or "OWNER/NAME"), content)


def renew(write: bool) -> list[Path]:
    """The files of which something generated differs from what it should be; rewrites them when `write` is true."""
    changed = []
    for notebook in select():
        fresh = dumps(renewed(notebook))
        if fresh != dumps(notebook.raw):
            changed.append(notebook.path)
            if write:
                write_atomically(notebook.path, fresh)
    for name, renewed_page in (("README.md", renewed_readme), ("TEACHING.md", renewed_teaching)):
        page = root() / name
        if not page.exists():
            continue
        content = page.read_text(encoding="utf-8")
        fresh = renewed_page(content)
        if fresh != content:
            changed.append(page)
            if write:
                write_atomically(page, fresh)
    return changed
