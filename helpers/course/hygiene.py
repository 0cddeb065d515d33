"""What every notebook must keep to: anatomy, fresh stamp, alt text, links, nothing stored that does not belong."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from helpers.course import badges, translate
from helpers.course.glossary import Glossary
from helpers.course.markdown import FENCE, prose
from helpers.notebooks import (
    FILE_NAME,
    Notebook,
    alt_text,
    catalogue,
    extras,
    notebooks_dir,
    package_name,
    parts,
    root,
    select,
    tags,
    text,
)

MAX_BYTES = 1_500_000
MAX_LINES = 25
MAX_SECONDS = 60  # of a quick run on two cores
MAX_MB = 2000  # what Binder gives
CELLS, WORDS, MAX_CLAIMS = (50, 85), (1800, 3200), 12  # one lesson a notebook
MIN_WRONG = 2  # answers that an exercise's check must refuse
SECTIONS = ("Takeaways", "Scope of these numbers", "References")
ROWS = ("Time", "Needs", "Data", "You will be able to")
HEADINGS = re.compile(r"^(#{1,6}) +(.+?)\s*#*$", re.M)
LINKS = re.compile(r"\[(?:[^\[\]]|!?\[[^\]]*\]\([^)]*\))*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
IMAGES_WITHOUT_ALT = re.compile(r"!\[\s*\]\(|<img(?![^>]*\balt=\"[^\"]+\")[^>]*>")
PATHS = re.compile(
    r"(?<![\w.:/~-])(?:/(?:home|Users|root|tmp|work|opt|usr|var|mnt|srv|private|content)/[\w.-]|"
    r"[A-Za-z]:\\{1,2}[A-Za-z])"
)
DEBRIS = re.compile(r"\r(?!\n)|\x08|\d%\|[ █▏▎▍▌▋▊▉#]")
BLANKET = re.compile(r"(?:filterwarnings|simplefilter)\(\s*(?:action\s*=\s*)?[\"']ignore[\"']\s*,?\s*\)")
INSTALLS = re.compile(r"^\s*[!%]{1,2}\s*(?:uv\s+)?(?:pip3?|conda|mamba|(?:\S*python3?\s+-m\s+)pip)\b", re.M)


@dataclass(frozen=True)
class Finding:
    """One fault: where (cell counted from 1, 0 for the whole file), what, and how to mend it."""

    where: str
    cell: int
    what: str
    mend: str
    error: bool = True

    def __str__(self) -> str:
        """The line that `course check` prints."""
        place = f"cell {self.cell}" if self.cell else "the file"
        return f"{self.where} · {place} · {self.what} · {self.mend}"


def check(notebooks: list[Notebook], everything: bool = True) -> list[Finding]:
    """All findings in these notebooks and, with `everything`, in file names and the README."""
    found, glossary = [], Glossary(select())
    for notebook in notebooks:
        for rule in (*RULES, glossary.findings):
            found += [Finding(notebook.path.name, *what) for what in rule(notebook)]
    if everything:
        found += _names() + _readme()
    return found + [
        Finding(where, 0, what, mend, False) for where, what, mend in translate.findings(notebooks, everything)
    ]


def _where(notebook: Notebook, tag: str) -> list[int]:
    return [index for index, cell in enumerate(notebook.cells, 1) if tag in tags(cell)]


def _heads(notebook: Notebook, level: str) -> list[tuple[int, str]]:
    cells = enumerate(notebook.cells, 1)
    return [(index, name) for index, cell in cells for mark, name in HEADINGS.findall(prose(cell)) if mark == level]


def _slug(words: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", words.lower()))


def _title(notebook: Notebook) -> Iterator[tuple]:
    cells = notebook.cells
    if not cells or cells[0]["cell_type"] != "markdown" or "title" not in tags(cells[0]):
        yield 1, "the first cell is not Markdown tagged `title`", "begin with the title cell"
    heads = _heads(notebook, "#")
    if len(heads) != 1:
        yield (heads[1][0] if heads else 1), f"{len(heads)} first-level headings", "keep one, in the title cell"
    elif not heads[0][1].startswith(f"{notebook.number} · ") or not _slug(heads[0][1][5:]).startswith(notebook.slug):
        yield (
            heads[0][0],
            f"heading {heads[0][1]!r} does not fit the file name",
            (f"write `# {notebook.number} · {notebook.slug.replace('_', ' ').capitalize()}…` or rename the file"),
        )
    missing = [row for row in ROWS if not notebook.table.get(row.lower())]
    if missing:
        yield 1, f"the title table lacks {', '.join(missing)}", "add the rows, `| Time | about … |`"
    if badges.block(notebook.path.name) not in notebook.title_text:
        yield 1, "badges missing or for another address", "type `course badges`"
    files = {path.name[:2] for path in notebooks_dir().glob("*.ipynb")}
    for need in notebook.needs:
        planned = need[0] in parts() and int(need[1]) < parts()[need[0]][1]
        if need not in files and (not planned or need == notebook.number):
            yield 1, f"needs notebook {need}, which does not exist", "correct the row `Needs`"
    known = catalogue()
    for name in notebook.data:
        if name not in known:
            yield 1, f"data set {name!r} has no file in data/sets", "correct the row `Data`, or add the set"


def _anatomy(notebook: Notebook) -> Iterator[tuple]:
    code = [index for index, cell in enumerate(notebook.cells, 1) if cell["cell_type"] == "code"]
    for place, tag in enumerate(("setup", "", "parameters")):
        if tag and (len(_where(notebook, tag)) != 1 or code[place : place + 1] != _where(notebook, tag)):
            order = "the code cells begin with set-up, imports, parameters"
            yield (_where(notebook, tag) or [0])[0], f"the `{tag}` cell is missing, doubled or out of place", order
    if len(code) < 2 or "import" not in text(notebook.cells[code[1] - 1]["source"]):
        yield (code[1:2] or [0])[0], "the second code cell imports nothing", "put the imports after the set-up"
    for index in _where(notebook, "setup"):
        if text(notebook.cells[index - 1]["source"]) != badges.setup_source(notebook.packages):
            yield index, "the set-up cell differs from the course's", "type `course badges`"
    for index in _where(notebook, "parameters"):
        source = text(notebook.cells[index - 1]["source"])
        if not re.search(r"^PROFILE = \"quick\"", source, re.M) or not re.search(r"^SEED = 7\b", source, re.M):
            yield index, "the parameters are not the course's", 'write `PROFILE = "quick"` and `SEED = 7`'
    claims, solutions = _where(notebook, "claims"), _where(notebook, "solution")
    for index in claims:
        if any(tag.startswith("nbval-") for tag in tags(notebook.cells[index - 1])):
            yield index, "the claims cell is exempt from comparison", "take its `nbval-…` tag off"
    if not claims:
        yield 0, "no claims cell", "state the findings in a code cell tagged `claims`"
    elif claims[0] < (_where(notebook, "parameters") or [0])[0] or (solutions and claims[-1] > solutions[0]):
        yield claims[-1], "claims cell out of place", "put it after the body, before the exercises"


def _sections(notebook: Notebook) -> Iterator[tuple]:
    places = {heading: index for index, heading in _heads(notebook, "##")}
    after = max(_where(notebook, "claims") + _where(notebook, "solution"), default=0)
    for name in SECTIONS:
        if name not in places:
            yield 0, f"no section `## {name}`", "add it at the end"
        elif places[name] < after:
            yield places[name], f"section {name!r} out of order", "end with exercises, " + ", ".join(SECTIONS)
        after = max(after, places.get(name, 0))


def _exercises(notebook: Notebook) -> Iterator[tuple]:
    cells, solutions = notebook.cells, _where(notebook, "solution")
    if len(solutions) < 3 and notebook.number != "00":
        yield 0, f"{len(solutions)} exercises with a solution", "three to five are the rule"
    for index in solutions:
        cell = cells[index - 1]
        if not cell.get("metadata", {}).get("jupyter", {}).get("source_hidden"):
            yield index, "the solution is in plain sight", 'set its metadata {"jupyter": {"source_hidden": true}}'
        if index < 2 or cells[index - 2]["cell_type"] != "markdown":
            yield index, "no task before the solution", "put a Markdown cell that asks in front of it"
        if index >= len(cells) or "check" not in tags(cells[index]):
            yield index, "no check after the solution", "put a code cell tagged `check` behind it"


def _wrong_answers(notebook: Notebook) -> Iterator[tuple]:
    few = []
    for index in _where(notebook, "check"):
        wrong = notebook.cells[index - 1].get("metadata", {}).get("course", {}).get("wrong", [])
        if not isinstance(wrong, list) or len({str(source).strip() for source in wrong} - {""}) < MIN_WRONG:
            few.append(index)
    if few:
        what = f"checks without {MIN_WRONG} wrong answers to refuse: cells {', '.join(map(str, few))}"
        yield few[0], what, 'put a lazy and a plausible one into the cell\'s metadata, course: {"wrong": […]}', False


def _size(notebook: Notebook) -> Iterator[tuple]:
    code = "\n".join(text(cell["source"]) for cell in notebook.cells if cell["cell_type"] == "code")
    claims = len(re.findall(r"\bevidence\.(?:claim|band)\(", code))
    if claims > MAX_CLAIMS:
        yield 0, f"{claims} claims", f"keep the {MAX_CLAIMS} sharpest", False
    words = sum(len(re.findall(r"\w+", prose(cell))) for cell in notebook.cells)
    for count, (low, high), what in ((len(notebook.cells), CELLS, "cells"), (words, WORDS, "words of prose")):
        if not low <= count <= high:
            yield 0, f"{count:,} {what}", f"{low:,} to {high:,} is the rule: one lesson a notebook", False


def _packages(notebook: Notebook) -> Iterator[tuple]:
    known = extras()
    for name in notebook.packages:
        if package_name(name) not in known:
            yield 1, f"package {name!r} is in no extra of pyproject.toml", "correct the row `Packages`, or add it there"
    code = "\n".join(text(cell["source"]) for cell in notebook.cells if cell["cell_type"] == "code")
    call = re.search(r"\bneeds\s*=\s*\(([^)]*)\)", code)
    asked = re.findall(r"[\"']([^\"']+)[\"']", call[1]) if call else []
    if sorted(map(package_name, asked)) != sorted(map(package_name, notebook.packages)):
        what = f"the row `Packages` and `session.start(needs=…)` disagree: {', '.join(asked) or 'nothing'} is asked for"
        yield 1, what, "name the same packages in both"


def _stamp(notebook: Notebook) -> Iterator[tuple]:
    stamp, again = notebook.stamp, f"type `course refresh {notebook.number}`"
    if not stamp:
        yield 0, "no stamp", again
        return
    if stamp.get("code_sha256") != notebook.code_sha256:
        yield 0, "stale stamp: the code has changed since the outputs were made", again
    elif stamp.get("outputs_sha256") != notebook.outputs_sha256:
        yield 0, "stale stamp: the stored outputs are not those of the stamped run", again
    known = catalogue()
    for name, files in stamp.get("data", {}).items():
        here = set(re.findall(r"\b[0-9a-f]{64}\b", json.dumps(known.get(name, {}), default=str)))
        if wrong := [file for file, digest in files.items() if digest not in here]:
            yield 0, f"stale stamp: {name} ({', '.join(wrong)}) is not what data/sets/{name}.toml lists", again
    for what, limit in (("seconds", MAX_SECONDS), ("peak_mb", MAX_MB)):
        if stamp.get(what) and stamp[what] > limit:
            # a warning, since a busy machine is not the notebook's fault
            yield 0, f"the stamped run took {stamp[what]} {what}; the limit is {limit}", again, False
    if set(stamp.get("data", {})) != set(notebook.data):
        loaded = ", ".join(sorted(stamp.get("data", {}))) or "nothing"
        yield 1, f"the row `Data` and the run disagree: the run loaded {loaded}", "correct the row", False
    card = root() / "results" / f"{notebook.number}.json"
    if card.exists():
        with suppress(ValueError):
            if not notebook.gave(json.loads(card.read_text(encoding="utf-8"))):
                yield 0, f"results/{card.name} is of older code", "run the full profile again", False


def _user() -> re.Pattern | None:
    with suppress(Exception):
        return re.compile(rf"(?:[/\\]|\b){re.escape(getpass.getuser())}[/\\@]")
    return None


def _outputs(notebook: Notebook) -> Iterator[tuple]:
    user, clear = _user(), f"mend the code, then `course refresh {notebook.number}`"
    for index, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", []):
            kind, data = output["output_type"], output.get("data", {})
            if kind == "error" and "raises-exception" not in tags(cell):
                yield index, f"a stored error: {output.get('ename')}", clear
            if output.get("name") == "stderr":
                yield index, f"stored stderr: {text(output['text']).strip()[:60]!r}", clear
            for mime in data:
                if mime.startswith("image/") and not alt_text(output, mime):
                    yield index, "a figure without alt text", "show it with `plots.show(fig, alt=…)`"
                if "widget" in mime:
                    yield index, "a stored widget", "show a figure or a table instead"
            words = "\n".join([text(output.get("text")), *(text(v) for k, v in data.items() if k.startswith("text/"))])
            if DEBRIS.search(words):
                yield index, "progress-bar debris", clear
            if leak := PATHS.search(words) or (user and user.search(words)):
                yield index, f"a path or user name of one machine near {words[leak.start() :][:40]!r}", clear
            if re.search(r" at 0x[0-9a-f]{6,}", words):
                yield index, "a memory address, which differs on every run", clear, False


def _shelf(notebook: Notebook) -> Iterator[tuple]:
    """The start's table of all notebooks, which is older than they are when a title or a time has changed since."""
    if notebook.path.name != badges.START:
        return
    shown = "\n".join(
        text(o.get("data", {}).get("text/markdown")) for c in notebook.cells for o in c.get("outputs", [])
    )
    for book in select() if f"({badges.START}) |" in shown else ():
        if f"[{book.title}]({book.path.name}) | {book.part} | {book.time.split(';')[0]} | {book.learn} |" not in shown:
            what = f"its stored table does not show {book.number} as {book.path.name} now has it"
            yield 0, what, f"type `course refresh {notebook.number}`"


def _code(notebook: Notebook) -> Iterator[tuple]:
    for index, cell in enumerate(notebook.cells, 1):
        if cell["cell_type"] != "code" or "setup" in tags(cell):
            continue
        source = text(cell["source"])
        if BLANKET.search(source):
            yield index, "all warnings are silenced", "mend the cause, or name category and module"
        if INSTALLS.search(source):
            yield index, "installs packages", "add them to pyproject.toml; only the set-up cell installs"
        if PATHS.search(source):
            yield index, "an absolute path of one machine", "use `datasets.load` or a relative path"
        if (lines := len(source.splitlines())) > MAX_LINES:
            yield index, f"{lines} lines of code", "split the cell or move plumbing to a helper", False


def _markdown(cells: list[dict]) -> str:
    return "\n\n".join(text(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def _anchors(content: str) -> set[str]:
    content = FENCE.sub(lambda found: "" if found[1] else found[0], content)
    names = {heading.replace("`", "").replace("*", "") for _, heading in HEADINGS.findall(content)}
    github = {re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in names}
    return {name.replace(" ", "-") for name in names} | github


def _broken(target: str, base: Path, here: str) -> str:
    """Why a link target is broken ('' when it is not); `here` is the Markdown of the page it stands on."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target, re.I):
        return ""
    path, _, anchor = unquote(target).partition("#")
    if path.startswith("/"):
        return "is absolute"
    if path and not (base / path).exists():
        return "leads nowhere"
    if anchor and path.endswith((".ipynb", ".md")):
        content = (base / path).read_text(encoding="utf-8")
        if path.endswith(".ipynb"):
            content = _markdown(json.loads(content)["cells"])
        here = content
    elif path:
        return ""
    return "names a heading that does not exist" if anchor and anchor not in _anchors(here) else ""


def _links(notebook: Notebook) -> Iterator[tuple]:
    here = _markdown(notebook.cells)
    for index, cell in enumerate(notebook.cells, 1):
        for target in LINKS.findall(prose(cell)):
            if why := _broken(target, notebook.path.parent, here):
                yield index, f"link {target!r} {why}", "correct it (plain text for what is still to come)"
        if IMAGES_WITHOUT_ALT.search(prose(cell)):
            yield index, "an image without alt text", "write `![what it shows](…)`"


def _file(notebook: Notebook) -> Iterator[tuple]:
    import nbformat

    if (size := notebook.path.stat().st_size) > MAX_BYTES:
        yield 0, f"{size / 1e6:.1f} MB", "keep it under 1.5 MB: fewer or smaller figures"
    try:
        nbformat.validate(json.loads(json.dumps(notebook.raw)))
    except nbformat.ValidationError as error:
        yield 0, f"not a valid notebook: {str(error).splitlines()[0]}", "open and save it in JupyterLab"
    extra = set(notebook.raw["metadata"]) - {"kernelspec", "language_info", "course"}
    extra |= {key for cell in notebook.cells for key in cell.get("metadata", {})} - {"tags", "jupyter", "course"}
    if extra:
        what = f"metadata that does not belong: {', '.join(sorted(extra))}"
        yield 0, what, f"type `course refresh {notebook.number}`"


RULES = (
    _title,
    _anatomy,
    _sections,
    _exercises,
    _wrong_answers,
    _size,
    _packages,
    _stamp,
    _shelf,
    _outputs,
    _code,
    _links,
    _file,
)


def _names() -> list[Finding]:
    found, seen = [], {}
    for path in sorted(notebooks_dir().glob("*.ipynb")):
        if not FILE_NAME.fullmatch(path.name):
            found.append(Finding(path.name, 0, "not named NN_lower_case.ipynb", "rename it"))
        elif seen.setdefault(path.name[:2], path) != path:
            found.append(Finding(path.name, 0, f"has the number of {seen[path.name[:2]].name}", "renumber one of them"))
    return found


def _readme() -> list[Finding]:
    path = root() / "README.md"
    content = path.read_text(encoding="utf-8") if path.exists() else ""
    found = []
    if badges.block(badges.START) not in content:
        mend = "type `course badges`; the place is between `<!-- badges -->` and `<!-- /badges -->`"
        found.append(Finding("README.md", 0, "badges missing or for another address", mend))
    elif badges.renewed_readme(content) != content:
        found.append(Finding("README.md", 0, "map, times or address are not the notebooks'", "type `course badges`"))
    if problem := badges.pin_problem():
        found.append(Finding("pyproject.toml", 0, problem, "type `course badges`, commit and push", error=False))
    for target in LINKS.findall(FENCE.sub("", content)):
        if why := _broken(target, root(), content):
            found.append(Finding("README.md", 0, f"link {target!r} {why}", "correct it"))
    return found
