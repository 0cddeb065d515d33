"""What a notebook of the course says about itself: number, title table, hashes, stamp. Needs nothing but json."""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import io
import json
import os
import re
import tempfile
import tokenize
import tomllib
from dataclasses import dataclass
from pathlib import Path

from helpers.errors import CourseError

FILE_NAME = re.compile(r"(\d\d)_([a-z0-9]+(?:_[a-z0-9]+)*)\.ipynb")
HEADING = re.compile(r"^# (\d\d) · (.+?)\s*$", re.M)
ROW = re.compile(r"^\|\s*([^|]+?)\s*\|\s*(.*?)\s*\|\s*$", re.M)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def root() -> Path:
    """The folder of the course: COURSE_ROOT, else the checkout this package lies in."""
    return Path(os.environ.get("COURSE_ROOT") or Path(__file__).parents[1]).resolve()


@functools.cache
def parts() -> dict[str, tuple[str, int, str]]:
    """Tens digit → title, how many notebooks the course plans there, what it covers; kept in data/parts.toml.

    As data: a new count there is no change of the code that runs a notebook.
    """
    found = tomllib.loads((Path(__file__).parents[1] / "data" / "parts.toml").read_text(encoding="utf-8"))
    return {digit: (part["title"], part["planned"], part["covers"]) for digit, part in found.items()}


def text(value: object) -> str:
    """A notebook's multi-line string, which may be stored as one string or as a list of lines."""
    return "".join(value) if isinstance(value, list) else str(value or "")


def tags(cell: dict) -> list[str]:
    """The cell's tags."""
    return cell.get("metadata", {}).get("tags", [])


def alt_text(output: dict, mime: str) -> str:
    """The alternative text of a stored image ('' where it has none)."""
    described = output.get("metadata", {}).get(mime)
    return str(described.get("alt", "")).strip() if isinstance(described, dict) else ""


def code_hash(raw: dict) -> str:
    """SHA-256 over the sources of the code cells, the set-up cell left out (it carries the public address)."""
    digest = hashlib.sha256()
    for cell in raw["cells"]:
        if cell["cell_type"] == "code" and not {"setup", "injected-parameters"} & set(tags(cell)):
            digest.update(text(cell["source"]).replace("\r\n", "\n").strip().encode() + b"\0")
    return digest.hexdigest()


def work_hash(raw: dict) -> str:
    """As code_hash, over what can change an outcome: see `work`."""
    cells = [
        cell | {"source": work(text(cell["source"]))} if cell["cell_type"] == "code" else cell for cell in raw["cells"]
    ]
    return code_hash({"cells": cells})


@functools.cache
def work(source: str) -> str:
    """Code without its words: docstrings, blank lines, lines of comment, and the fixed titles, axis labels and
    alternative text of figures. They change no outcome, so that mending them leaves all that was proven as it was.

    Words with a value in them (f-strings) stay. Code that cannot be parsed, such as a notebook's magics, stays whole.
    """
    try:
        nodes = [*ast.walk(ast.parse(source))]
        tokens = [*tokenize.generate_tokens(io.StringIO(source).readline)]
    except (SyntaxError, tokenize.TokenError):
        return source
    left_out, held = set(), set()
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            left_out |= {*range(node.body[0].lineno, node.body[0].end_lineno + 1)}
    for token in tokens:
        if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            held |= {*range(token.start[0], token.end[0] + 1)}
    lines = {at: line.encode() for at, line in enumerate(source.splitlines(), 1) if at in held - left_out}
    calls = [node for node in nodes if isinstance(node, ast.Call) and _words(node)]
    inside = {id(part) for call in calls for part in ast.walk(call) if part is not call}
    calls = [call for call in calls if id(call) not in inside]  # of one within another only the outer
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        _on_one_line(lines, call)
    return "\n".join(line.decode() for _, line in sorted(lines.items()))


def _words(call: ast.Call) -> list[ast.Constant]:
    """The plain strings in a call that only say something of a figure."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    said = {"set": ("title", "xlabel", "ylabel"), "show": ("alt",)}.get(name, ())
    found = [keyword.value for keyword in call.keywords if keyword.arg in said]
    if name in ("suptitle", "set_title", "set_xlabel", "set_ylabel"):
        found += call.args[:1]
    return [value for value in found if isinstance(value, ast.Constant) and isinstance(value.value, str)]


def _on_one_line(lines: dict[int, bytes], call: ast.Call) -> None:
    """Write a call without its words, and on one line: how long they were decided where it was broken."""
    first, last = call.lineno, call.end_lineno
    head, tail = lines[first][: call.col_offset], lines[last][call.end_col_offset :]
    lines[last] = lines[last][: call.end_col_offset]
    for word in sorted(_words(call), key=lambda word: (word.lineno, word.col_offset), reverse=True):
        rest = lines[word.end_lineno][word.end_col_offset :]
        lines[word.lineno] = lines[word.lineno][: word.col_offset] + b'""' + rest
        for at in range(word.lineno + 1, word.end_lineno + 1):
            lines.pop(at, None)
    said = b"\n".join(lines.pop(at) for at in range(first, last + 1) if at in lines)[len(head) :].decode()
    said = re.sub(r",? ?\)$", ")", " ".join(said.split()).replace("( ", "("))
    lines[first] = head + said.encode() + tail


def outputs_hash(raw: dict) -> str:
    """SHA-256 over the stored outputs, execution counts left out."""
    digest = hashlib.sha256()
    for cell in raw["cells"]:
        for output in cell.get("outputs", []):
            kept = {key: value for key, value in output.items() if key not in ("execution_count", "data")}
            kept["text"] = text(output.get("text"))
            kept["data"] = {
                kind: text(value).strip() if kind.startswith(("text/", "image/")) else value
                for kind, value in output.get("data", {}).items()
            }
            digest.update(json.dumps(kept, sort_keys=True).encode())
        digest.update(b"\0")
    return digest.hexdigest()


@dataclass(frozen=True)
class Notebook:
    """One notebook file, read once."""

    path: Path
    raw: dict

    @classmethod
    def read(cls, path: Path) -> Notebook:
        """Read a file; raises CourseError when it is not a notebook."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(raw["cells"], list) or raw["nbformat"] != 4:
                raise ValueError("not a version 4 notebook")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CourseError(f"{path.name} cannot be read as a notebook ({error}); restore it with Git.") from error
        return cls(path, raw)

    @property
    def cells(self) -> list[dict]:
        """The cells, in order."""
        return self.raw["cells"]

    @property
    def number(self) -> str:
        """Two digits: the place in the course."""
        return self.path.name[:2]

    @property
    def slug(self) -> str:
        """The file name without number and ending."""
        return self.path.stem[3:]

    @property
    def part(self) -> str:
        """The title of the part, from the tens digit."""
        return parts().get(self.number[0], ("Other",))[0]

    @functools.cached_property
    def title_text(self) -> str:
        """The source of the title cell ('' where there is none)."""
        for cell in self.cells:
            if cell["cell_type"] == "markdown" and ("title" in tags(cell) or HEADING.search(text(cell["source"]))):
                return text(cell["source"])
        return ""

    @property
    def title(self) -> str:
        """The title without its number."""
        found = HEADING.search(self.title_text)
        return found[2] if found else self.slug.replace("_", " ").capitalize()

    @functools.cached_property
    def table(self) -> dict[str, str]:
        """The rows of the title table, by lower-case name."""
        return {name.lower(): value for name, value in ROW.findall(self.title_text)}

    @property
    def time(self) -> str:
        """How long it takes, in words."""
        return self.table.get("time", "")

    @property
    def needs(self) -> list[str]:
        """Numbers of the notebooks to read first."""
        return re.findall(r"\b\d\d\b", LINK.sub(r"\1", self.table.get("needs", "")))

    @property
    def data(self) -> list[str]:
        """Names of the data sets, worlds left out."""
        words = LINK.sub(r"\1", self.table.get("data", "")).replace("`", "").replace("·", ",")
        names = [word.strip() for word in words.split(",")]
        return [
            name
            for name in names
            if re.fullmatch(r"[a-z][a-z0-9_]+", name) and name not in ("world", "worlds", "none", "nothing")
        ]

    @property
    def packages(self) -> list[str]:
        """Names of the packages beyond the core that it can use, as pip knows them."""
        words = self.table.get("packages", "").replace("`", "").replace("·", ",").split(",")
        return [word.strip() for word in words if word.strip()]

    @property
    def learn(self) -> str:
        """What the reader will be able to do."""
        return self.table.get("you will be able to", "")

    @functools.cached_property
    def code_sha256(self) -> str:
        """See code_hash."""
        return code_hash(self.raw)

    @functools.cached_property
    def work_sha256(self) -> str:
        """See work_hash."""
        return work_hash(self.raw)

    def gave(self, card: dict) -> bool:
        """Whether a full run of this very code, words of figures apart, wrote this card."""
        return self.work_sha256 == card.get("work_sha256") or self.code_sha256 == card.get("code_sha256")

    @functools.cached_property
    def outputs_sha256(self) -> str:
        """See outputs_hash."""
        return outputs_hash(self.raw)

    @property
    def stamp(self) -> dict:
        """What the run that made the stored outputs wrote ({} where none did)."""
        return self.raw.get("metadata", {}).get("course", {}).get("stamp", {})

    @property
    def label(self) -> str:
        """Number and title."""
        return f"{self.number} · {self.title}"


def notebooks_dir() -> Path:
    """The folder of the notebooks; raises CourseError where it is missing."""
    folder = root() / "notebooks"
    if not folder.is_dir():
        raise CourseError(f"No notebooks in {root()}: run `course` from a checkout installed with `pip install -e .`")
    return folder


def select(wanted: tuple[str, ...] | list[str] = ()) -> list[Notebook]:
    """The notebooks of these numbers (all when none is given), in order.

    Raises CourseError for an unknown one, and when two have the same number.
    """
    found = {}
    for path in sorted(notebooks_dir().glob("*.ipynb")):
        if FILE_NAME.fullmatch(path.name) and (other := found.setdefault(path.name[:2], path)) != path:
            raise CourseError(f"{other.name} and {path.name} have the same number: renumber one of them.")
    numbers = []
    for word in wanted:
        match = re.match(r"(\d{1,2})(?=_|$)", Path(word).name)
        number = match[1].zfill(2) if match else word
        if number not in found:
            if number.isdigit():
                close = sorted(found, key=lambda key: abs(int(key) - int(number)))[:3]
            else:
                stems = {path.stem[3:]: key for key, path in found.items()}
                close = [stems[stem] for stem in difflib.get_close_matches(number, stems, n=3, cutoff=0.3)]
            names = ", ".join(found[key].stem for key in sorted(close or found)) or "none yet"
            raise CourseError(f"There is no notebook {word!r}. Close to it: {names}. `course list` shows all.")
        numbers.append(number)
    if not found:
        raise CourseError(f"There are no notebooks in {notebooks_dir()}.")
    return [Notebook.read(found[number]) for number in sorted(set(numbers) or found)]


def write_atomically(path: Path, content: str) -> None:
    """Replace a text file in one step, so that a reader or a crash never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
        os.chmod(name, path.stat().st_mode if path.exists() else 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def dumps(raw: dict) -> str:
    """A notebook as nbformat and JupyterLab write it, sources and outputs as lists of lines."""
    raw = json.loads(json.dumps(raw))
    for cell in raw["cells"]:
        cell["source"] = text(cell["source"]).splitlines(True)
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = text(output["text"]).splitlines(True)
            for kind, value in output.get("data", {}).items():
                if isinstance(value, str) and not kind.endswith("json"):
                    lines = kind.startswith("text/") or "+xml" in kind
                    output["data"][kind] = value.splitlines(True) if lines else value
    return json.dumps(raw, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def catalogue() -> dict[str, dict]:
    """What data/sets/NAME.toml says of each data set ({} while there is none); `datasets.info` checks it, too."""
    from helpers.datasets.catalogue import toml

    return {path.stem: toml(path) for path in sorted((root() / "data" / "sets").glob("*.toml"))}


def settings() -> dict:
    """[tool.course] of pyproject.toml: the public address, and what Binder cannot hold."""
    return tomllib.loads((root() / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["course"]


def package_name(word: str) -> str:
    """A package's name as all spellings of it share it (PEP 503), its version and extras left out."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", word.strip(), maxsplit=1)[0]).lower()


def extras() -> dict[str, str]:
    """Which extra of pyproject.toml brings a package: {package: extra}, names as package_name writes them."""
    project = tomllib.loads((root() / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    found: dict[str, str] = {}
    for extra, lines in project.get("optional-dependencies", {}).items():
        for line in lines:
            found.setdefault(package_name(line), extra)
    return found
