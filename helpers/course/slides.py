"""A notebook as slides for a room: reveal.js by nbconvert, from the stored outputs, with nothing from the network.

One idea a slide: a heading begins a stack, and each further paragraph or two, each figure or table, and each code short
enough to be read from the back row is a slide of its stack. `metadata.slideshow.slide_type` of a cell, as Jupyter knows
it, goes before these rules ("skip" leaves the cell out).
"""

from __future__ import annotations

import ast
import html
import importlib.util
import re
import shutil
from importlib import resources
from pathlib import Path

import nbformat

from helpers.course.report import plain
from helpers.errors import CourseError
from helpers.notebooks import Notebook, tags, text, write_atomically

MOST_WORDS, MOST_LINES, MOST_OUTPUT = 110, 22, 16  # of prose, of code, of printed text on one slide
HIDDEN = {"setup", "parameters", "solution", "check", "claims"}
ALONE = "output-alone"
ITEM = re.compile(r"(?:-|\d+\.) ")
ELSEWHERE = re.compile(r"\[([^\]]*)\]\((?!https?:)[^)]*\)")  # a link to another notebook, which has no place in a page
BADGES = re.compile(r"<!-- badges -->.*?<!-- /badges -->", re.S)
NEEDED = "Slides need two packages more. Type: python -m pip install -e '.[slides]'"


def _blocks(source: str) -> list[str]:
    """Paragraphs, lists, tables, formulas and headings of a Markdown text; fences stay whole."""
    found, fenced = [[]], False
    for line in source.splitlines():
        fenced ^= line.startswith("```")
        if not line.strip() and not fenced:
            found.append([])
        else:
            found[-1].append(line)
    return ["\n".join(lines) for lines in found if lines]


def _weight(block: str) -> float:
    """How much room a block takes, in words; a formula set apart takes some lines, a row of a table one."""
    lines = 12 * block.count("$$") / 2 + 8 * block.count("\\\\ ")
    return len(block.split()) + lines + 4 * len(re.findall(r"^\|", block, re.M))


def _items(block: str) -> list[str]:
    """A list that is too long for a slide, item by item; any other block as it is."""
    parts = re.split(rf"(?m)^(?={ITEM.pattern})", block)
    return [part.rstrip() for part in parts if part.strip()] if _weight(block) > MOST_WORDS else [block]


def chunks(source: str) -> list[tuple[str, str]]:
    """A Markdown cell as slides: (slide type, text). A heading begins one, and stays above what belongs to it."""
    found, heading, held = [], "", []

    def close() -> None:
        nonlocal held, heading
        if held or heading:
            kind = "slide" if heading else "subslide"
            found.append((kind, "\n\n".join(filter(None, [heading, *held]))))
        held, heading = [], ""

    for block in (item for part in _blocks(source) for item in _items(part)):
        title = re.match(r"#{1,4} .*", block)
        if title:
            close()
            heading, block = title[0], block[title.end() :].strip()
            if not block:
                continue
        whole = held and (ITEM.match(held[-1]) or held[-1].rstrip("*_)").endswith((".", "?", "!", ":")))
        sentence_ends = whole and not block.startswith("$$")
        full = sentence_ends and sum(map(_weight, held)) + _weight(block) > MOST_WORDS
        if full or block.startswith("**Predict.**"):
            close()
        held.append(block)
    close()
    return found


def _title(notebook: Notebook) -> str:
    """The first slide: the title and what is said under it before the table."""
    blocks = _blocks(BADGES.sub("", notebook.title_text))
    return "\n\n".join(block for block in blocks if not block.startswith("|"))


def _short(output: dict) -> dict | None:
    """An output as a slide has room for it, None where there is nothing to see."""
    kind = output["output_type"]
    if kind == "stream":
        lines = text(output["text"]).rstrip().splitlines()
        if not lines:
            return None
        more = [f"… and {len(lines) - MOST_OUTPUT} lines more"] if len(lines) > MOST_OUTPUT else []
        return nbformat.v4.new_output("stream", name="stdout", text="\n".join([*lines[:MOST_OUTPUT], *more]))
    if kind not in ("display_data", "execute_result"):
        return None
    data = {mime: text(value) for mime, value in output.get("data", {}).items()}
    if "image/png" in data:  # its long description repeats the alternative text, which the picture has
        data.pop("text/html", None)
    elif "text/html" in data and "<details" in data["text/html"]:
        return None
    metadata = output.get("metadata", {})
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


def _is_start(source: str) -> bool:
    """Whether a cell only imports, starts the session or shows the card: nothing to see in a room."""
    try:
        nodes = ast.parse(source).body
    except SyntaxError:
        return False
    return (
        "session.start(" in source
        or "evidence.card(" in source
        or all(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes)
    )


def deck(notebook: Notebook) -> nbformat.NotebookNode:
    """The slides as a notebook, each cell with its type of slide."""
    cells, asked = [], False

    def add(cell, kind: str) -> None:
        cell.metadata["slideshow"] = {"slide_type": kind}
        cells.append(cell)

    for cell in notebook.cells:
        chosen = cell.get("metadata", {}).get("slideshow", {}).get("slide_type")
        source = text(cell["source"])
        if cell["cell_type"] == "markdown":
            if heading := re.search(r"(?m)^## (.*)", source):
                asked = heading[1].startswith("Exercises")
            if chosen == "skip" or asked:
                continue
            if "title" in tags(cell):
                add(nbformat.v4.new_markdown_cell(_title(notebook)), "slide")
                continue
            for number, (kind, words) in enumerate(chunks(ELSEWHERE.sub(r"\1", source))):
                add(nbformat.v4.new_markdown_cell(words), chosen if chosen and not number else kind)
        elif cell["cell_type"] == "code" and chosen != "skip" and not asked and not _is_start(source):
            outputs = [short for output in cell.get("outputs", []) if (short := _short(output))]
            lines = 0 if HIDDEN & set(tags(cell)) else source.count("\n") + 1 if source.strip() else 0
            printed = all(output.output_type == "stream" for output in outputs)
            if 0 < lines <= MOST_LINES / 2 and printed:  # a few lines and what they print are one idea
                add(nbformat.v4.new_code_cell(source, outputs=outputs), chosen or "subslide")
                continue
            if 0 < lines <= MOST_LINES:
                add(nbformat.v4.new_code_cell(source), chosen or "subslide")
            for output in outputs:
                alone = nbformat.v4.new_code_cell("", outputs=[output], metadata={"tags": [ALONE]})
                add(alone, "subslide")
    return nbformat.v4.new_notebook(cells=cells, metadata={"title": f"{notebook.number} · {notebook.title}"})


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.origin:
        raise CourseError(NEEDED)
    return Path(found.origin).parent


def assets(out: Path) -> None:
    """Put reveal.js and MathJax beside the slides; raises CourseError where their packages are not installed."""
    for name, (package, inside) in {
        "reveal.js": ("sphinx_revealjs", "_static/revealjs"),
        "mathjax": ("jupyter_server_mathjax", "static"),
    }.items():
        source = _package(package) / inside
        if not source.is_dir():
            raise CourseError(f"{package} has no {inside}: another version is needed. {NEEDED}")
        shutil.copytree(source, out / name, dirs_exist_ok=True)


def write(notebook: Notebook, out: Path) -> Path:
    """Write the slides of a notebook as one page beside the `assets`; returns its path."""
    from nbconvert import SlidesExporter
    from traitlets.config import Config

    template = resources.files("helpers.course").joinpath("templates/slides")
    settings = Config()
    settings.SlidesExporter.extra_template_basedirs = [str(Path(str(template)).parent)]
    settings.SlidesExporter.template_name = "slides"
    settings.SlidesExporter.reveal_url_prefix = "reveal.js"
    settings.SlidesExporter.reveal_theme = "white"
    settings.SlidesExporter.mathjax_url = "mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full"
    settings.TagRemovePreprocessor.enabled = True
    settings.TagRemovePreprocessor.remove_input_tags = {ALONE}
    settings.SlidesExporter.exclude_input_prompt = settings.SlidesExporter.exclude_output_prompt = True
    page, _ = SlidesExporter(config=settings).from_notebook_node(deck(notebook))
    page = page.replace("<title>Notebook slides</title>", f"<title>{html.escape(plain(notebook.title))}</title>")
    path = out / f"{notebook.path.stem}.html"
    write_atomically(path, page)
    return path
