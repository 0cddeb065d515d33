"""The site's sources, made from stored outputs, cards and the glossary: `make site`. Sphinx turns them into pages.

Nothing is executed and nothing is written by hand: what a page says stands in a notebook, a card or data/glossary.toml.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from helpers.course import glossary, translate
from helpers.course.badges import BLOCK, LANGUAGES
from helpers.errors import CourseError
from helpers.notebooks import Notebook, alt_text, dumps, notebooks_dir, parts, root, select, settings, tags, text

PLACE = "site-source"
HEADLINE = re.compile(r"^## (.+?)\s*$", re.M)
CLAIM = re.compile(r"^✓ (.+)$", re.M)
COLOUR = re.compile(r' style="color: #[0-9a-f]{6}; text-decoration-color: #[0-9a-f]{6}"')
Say = Callable[[str], str]  # `str` says it in English; translate.Words in Chinese
NOTEBOOK_LINK = re.compile(r"\[([^\]]+)\]\((?:\.\./notebooks/)?(\d\d_\w+\.ipynb)((?:#[^)]*)?)\)")


def build(place: Path) -> Path:
    """Make the site in `place`, and in `place`/zh the Chinese one where it is begun; returns the first page.

    CourseError where anything fails, a dead link included.
    """
    sources = place.with_name(PLACE)
    build_sources(sources)
    render(sources, place)
    if translate.begun():
        sources = place.with_name(f"{PLACE}-{translate.LANGUAGE}")
        build_sources(sources, chinese=True)
        title = translate.Words(translate.README)("Deep learning in finance")
        said = {"language": "zh_CN", "project": title, "html_title": title}
        said |= {"nb_code_prompt_show": "显示代码", "nb_code_prompt_hide": "隐藏代码"}
        options = [word for name, value in said.items() for word in ("-D", f"{name}={value}")]
        render(sources, place / translate.LANGUAGE, *options)
    return place / "index.html"


def render(sources: Path, place: Path, *options: str) -> None:
    """Make the pages in `place` by Sphinx, in its own environment; CourseError on any warning, a dead link included."""
    python = root() / "build/venv-site" / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        raise CourseError("The site's own environment is missing: `make site` makes it first.")
    command = [python, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-j", "auto", "-E", "-b", "html", *options]
    done = subprocess.run([*command, sources, place], capture_output=True, text=True)
    if done.returncode:
        found = [line for line in done.stderr.splitlines() if "WARNING" in line or "ERROR" in line] or [done.stderr]
        raise CourseError("The site was not made:\n" + "\n".join(found[:20]).replace(str(sources), sources.name))


def build_sources(place: Path, chinese: bool = False) -> list[Path]:
    """Write the sources of the whole site into `place`, a folder that this function owns; returns the files.

    With `chinese` from the same outputs, prose, claims and alternative texts said in Chinese as far as they can be.

    Raises CourseError where a notebook has no stored outputs or `place` holds anything that was not written here.
    """
    mark = place / ".made-by-course-site"
    if place.exists() and any(place.iterdir()) and not mark.exists():
        raise CourseError(f"{place} holds files that `make site` did not write: move them, or name another folder.")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    mark.touch()
    notebooks = select()
    introduced, used = _terms(notebooks)
    say = translate.Words(translate.SHARED) if chinese else str
    if chinese:
        notebooks = [translate.translated(notebook) for notebook in notebooks]
    files = {f"notebooks/{nb.path.name}": dumps(page(nb, introduced[nb.number], say)) for nb in notebooks}
    files |= {
        f"part{digit}.md": _part(digit, notebooks, say)
        for digit in parts()
        if any(n.number[0] == digit for n in notebooks)
    }
    files |= {
        "index.md": _index(notebooks, say, chinese),
        "glossary.md": _glossary(introduced, used, notebooks, say, chinese),
        "findings.md": _findings(notebooks, say),
        "cards.md": _cards(notebooks, say),
        "limits.md": _limits(notebooks, say),
    }
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    shutil.copytree(root() / "site", place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.txt", "*.in"))
    for nb in notebooks:  # what the download button gives: the notebook as it is, badges and all
        target = place / "_static/notebooks" / nb.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if chinese:
            target.write_text(dumps(nb.raw), encoding="utf-8")
        else:
            shutil.copyfile(nb.path, target)
    return [place / name for name in files]


def page(notebook: Notebook, introduced: list[str], say: Say = str) -> dict:
    """The notebook as its page shows it: buttons for badges, alt texts where myst-nb reads them, targets for claims."""
    if not any(cell.get("outputs") for cell in notebook.cells):
        raise CourseError(f"{notebook.path.name} has no stored outputs: `course refresh {notebook.number}` makes them.")
    raw = copy.deepcopy(notebook.raw)
    cells: list[dict] = []
    for index, cell in enumerate(raw["cells"], 1):
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key in ("tags", "jupyter")}
        if cell["cell_type"] == "markdown":
            cell["source"] = _links(BLOCK.sub(lambda _: _buttons(notebook, say), text(cell["source"])))
        else:
            hidden = {"setup": "hide-cell", "solution": "hide-cell", "check": "hide-input"}
            cell["metadata"]["tags"] = [*tags(cell), *(hidden[tag] for tag in tags(cell) if tag in hidden)]
            cell["outputs"] = [_plain(output) for output in cell["outputs"]]
            alts = [alt for o in cell["outputs"] for mime in o.get("data", {}) if (alt := alt_text(o, mime))]
            if alts:
                cell["metadata"]["mystnb"] = {"image": {"alt": " ".join(" ".join(alts).split())}}
            if "claims" in tags(cell):
                cells.append(_markdown(f"({_anchor(notebook, index)})="))
        cells.append(cell)
    if introduced:
        linked = ", ".join(f"{{term}}`{term}`" for term in introduced)
        cells.append(_markdown(f":::{{admonition}} {say('Terms introduced here')}\n{linked}\n:::"))
    raw["cells"] = [{**cell, "id": f"c{number}"} for number, cell in enumerate(cells)]
    raw["metadata"] = {key: value for key, value in raw["metadata"].items() if key in ("kernelspec", "language_info")}
    return raw


def _plain(output: dict) -> dict:
    """An output without widgets, of which a page without a kernel shows nothing, nor text that repeats a picture."""
    data = output.get("data")
    if data is None:
        return output
    kept = {mime: value for mime, value in data.items() if "widget" not in mime}
    if "text/html" in kept:  # the colours of a printed table were chosen for a terminal: too pale on a page
        kept["text/html"] = COLOUR.sub("", text(kept["text/html"]))
    return {**output, "data": kept or {"text/plain": ""}}


def _markdown(source: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _links(source: str) -> str:
    """Links to notebooks that are not there (yet) become words, so that no page has a dead link."""
    folder = notebooks_dir()

    def shown(found: re.Match) -> str:
        return f"[{found[1]}]({found[2]}{found[3]})" if (folder / found[2]).exists() else found[1]

    return NOTEBOOK_LINK.sub(shown, source)


def _anchor(notebook: Notebook, index: int) -> str:
    return f"claims-{notebook.number}-{index}"


def _buttons(notebook: Notebook, say: Say) -> str:
    """Download, and Colab and Binder where the course has an address."""
    name, (repository, branch) = notebook.path.name, (settings()["repository"], settings()["branch"])
    links = [(say("Download"), f"../_static/notebooks/{name}")]
    if repository:
        links.append(("Colab", f"https://colab.research.google.com/github/{repository}/blob/{branch}/notebooks/{name}"))
        lab = quote(f"lab/tree/notebooks/{name}", safe="")
        links.append(("Binder", f"https://mybinder.org/v2/gh/{repository}/{quote(branch, safe='')}?urlpath={lab}"))
    shown = "".join(f'<a class="course-button" href="{link}">{label}</a>' for label, link in links)
    return f'<p class="course-buttons">{shown}</p>'


def _part(digit: str, notebooks: list[Notebook], say: Say) -> str:
    """One part: what it covers, a row a notebook, and the table of contents."""
    title, covers = say(parts()[digit][0]), say(parts()[digit][2])
    own = [nb for nb in notebooks if nb.number[0] == digit]
    rows = [f"| [{nb.label}](notebooks/{nb.path.name}) | {nb.learn} | {nb.time} |" for nb in own]
    table = "\n".join([say("| notebook | afterwards you can | time |"), "|---|---|---|", *map(_links, rows)])
    names = "\n".join(f"notebooks/{nb.path.stem}" for nb in own)
    what = f"# {digit} · {title}\n\n{covers.capitalize()}{say('.')}"
    return f"{what}\n\n{table}\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"


def _index(notebooks: list[Notebook], say: Say, chinese: bool) -> str:
    """The first page: the README's introduction, and the parts."""
    readme = translate.readme() if chinese else (root() / "README.md").read_text(encoding="utf-8")
    name = readme.split("\n", 1)[0]
    other = '<a href="zh/index.html" lang="zh">中文</a>\n\n' if translate.begun() else ""
    other = '<a href="../index.html" lang="en">English</a>\n\n' if chinese else other
    intro = LANGUAGES.sub("", BLOCK.sub("", readme)).split("## ", 1)[0].split("\n", 1)[1].strip()
    there = [digit for digit in parts() if any(nb.number[0] == digit for nb in notebooks)]
    rows = []
    for digit in there:
        title, covers = say(parts()[digit][0]), say(parts()[digit][2])
        count = sum(nb.number[0] == digit for nb in notebooks)
        rows.append(f"| [{digit} · {title}](part{digit}.md) | {covers} | {count} |")
    table = "\n".join([say("| part | what it covers | notebooks |"), "|---|---|---|", *rows])
    pages = "\n".join([*(f"part{digit}" for digit in there), "findings", "limits", "cards", "glossary"])
    below = say(
        "[What we found](findings.md) lists what the notebooks assert, [known limits](limits.md) what they do not "
        "show, [full runs](cards.md) what long runs gave. The [glossary](glossary.md) has each term in English and "
        "Chinese."
    )
    contents = f"```{{toctree}}\n:hidden:\n:maxdepth: 2\n\n{pages}\n```\n"
    return f"{name}\n\n{other}{intro}\n\n{table}\n\n{below}\n\n{contents}"


def _terms(notebooks: list[Notebook]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """{number: terms that the notebook is the first to introduce} and {term: numbers that use it}."""
    finder = glossary.Glossary(notebooks)
    introduced: dict[str, list[str]] = {nb.number: [] for nb in notebooks}
    used: dict[str, list[str]] = {}
    known: set[str] = set()
    for nb in notebooks:
        for term, explained in finder.uses(nb):
            if nb.number not in used.setdefault(term, []):
                used[term].append(nb.number)
            if explained and term not in known:
                known.add(term)
                introduced[nb.number].append(term)
    return introduced, used


def _glossary(
    introduced: dict[str, list[str]], used: dict[str, list[str]], notebooks: list[Notebook], say: Say, chinese: bool
) -> str:
    """Each term with its sentence in both languages, where it is introduced and where it is used."""
    entries = tomllib.loads((root() / "data/glossary.toml").read_text(encoding="utf-8"))
    first = {term: number for number, terms in introduced.items() for term in terms}
    link = {nb.number: f"[{nb.label}](notebooks/{nb.path.name})" for nb in notebooks}
    short = {nb.number: f"[{nb.number}](notebooks/{nb.path.name})" for nb in notebooks}
    lines = [f"# {say('Glossary')}", "", "```````{glossary}"]
    for term in sorted(entries, key=str.lower):
        entry = entries[term]
        where = say("Introduced in {}. ").format(link[first[term]]) if term in first else ""
        others = [short[number] for number in used.get(term, []) if number != first.get(term)]
        where += say("Also in {}.").format(", ".join(others)) if others else ""
        both = [f"  {entry['en']}", "", f'  <span lang="zh">{entry["zh"]}</span>', ""]
        if chinese:
            both = [f"  {entry['zh']}", "", f'  <span lang="en">{entry["en"]}</span>', ""]
        lines += [term, *both]
        lines += [f"  {where.strip()}", ""] if where.strip() else []
    return "\n".join([*lines, "```````", ""])


def _claims(notebook: Notebook) -> list[tuple[int, str]]:
    """(cell, claim) of all claims that the stored outputs report as held."""
    return [
        (index, claim)
        for index, cell in enumerate(notebook.cells, 1)
        if "claims" in tags(cell)
        for output in cell.get("outputs", [])
        for claim in CLAIM.findall(text(output.get("text")))
    ]


def _findings(notebooks: list[Notebook], say: Say) -> str:
    """What the notebooks assert, each claim with a link to the cell that checks it."""
    lines = [
        f"# {say('What we found')}",
        "",
        say(
            "Each sentence below is an assertion: the notebook fails where it does not hold. A link leads to the cell "
            "that checks it. A claim about data holds for the data, the split and the methods of its notebook."
        ),
    ]
    for nb in notebooks:
        lines += ["", f"## [{nb.label}](notebooks/{nb.path.name})", ""]
        lines += [f"- [{_escape(claim)}](#{_anchor(nb, index)})" for index, claim in _claims(nb)]
    return "\n".join([*lines, ""])


def _escape(line: str) -> str:
    """Plain text as Markdown shows it literally."""
    return re.sub(r"([\\`*_{}\[\]<>$|~])", r"\\\1", line)


def _cards(notebooks: list[Notebook], say: Say) -> str:
    """The numbers of the full runs, with device, date and spread."""
    lines = [
        f"# {say('Full runs')}",
        "",
        say("What `course run --profile full` wrote; the quick run's numbers stand in the notebooks."),
    ]
    for nb in notebooks:
        path = root() / "results" / f"{nb.number}.json"
        if not path.exists():
            continue
        card = json.loads(path.read_text(encoding="utf-8"))
        stale = "" if nb.gave(card) else say(" **The notebook's code has changed since.**")
        lines += ["", f"## [{nb.label}](notebooks/{nb.path.name})", ""]
        lines.append(
            f"{card['date']}, {_escape(str(card['device']))}, Keras on {card['backend']}, {card['seconds']:.0f} s, "
            f"{card['peak_mb']:,.0f} MB.{stale}"
        )
        lines += ["", say("| metric | mean | standard deviation | n | unit |"), "|---|---|---|---|---|"]
        for metric in card["metrics"]:
            spread = "" if metric["std"] is None else f"{metric['std']:.4g}"
            row = [_escape(metric["name"]), f"{metric['mean']:.5g}", spread, str(metric["n"]), _escape(metric["unit"])]
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join([*lines, ""])


def _limits(notebooks: list[Notebook], say: Say) -> str:
    """The section *Scope of these numbers* of every notebook."""
    lines = [f"# {say('Known limits')}", ""]
    lines.append(say("What each notebook says of its own numbers, and what it does not show."))
    scope = say("Scope of these numbers")
    for nb in notebooks:
        for cell in nb.cells:
            parts = HEADLINE.split(text(cell["source"])) if cell["cell_type"] == "markdown" else []
            for title, body in zip(parts[1::2], parts[2::2], strict=True):
                if title.startswith(("Scope", scope)):
                    inside = NOTEBOOK_LINK.sub(r"[\1](notebooks/\2\3)", _links(body.strip()))
                    lines += ["", f"## [{nb.label}](notebooks/{nb.path.name})", "", inside]
    return "\n".join([*lines, ""])
