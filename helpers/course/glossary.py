"""Terms of data/glossary.toml: where a notebook uses one, and whether it or one it needs has introduced it by then."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import groupby

from helpers.course.markdown import prose
from helpers.errors import CourseError
from helpers.notebooks import Notebook, root, tags

EMPHASIS = re.compile(r"\*\*[^*\n]+\*\*|(?<![*\w])\*[^*\n]+\*(?![*\w])|\[[^\]\n]*\]\([^)\n]*\)")
TARGET = re.compile(r"\]\([^)\n]*\)")
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.S)
AFTER = re.compile(r"[*_”\"]{0,2}(?: \(|: | = | (?:is|are) (?:a|an|the)\b| means? )")
BEFORE = re.compile(r"\(\*{0,2}$")


def terms() -> dict[str, list[str]]:
    """Each term with all its spellings; raises CourseError where the file is not as it should be."""
    path = root() / "data" / "glossary.toml"
    if not path.exists():
        return {}
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        bad = [name for name, entry in entries.items() if not (entry["en"].strip() and entry["zh"].strip())]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(f"data/glossary.toml cannot be read ({error!r}): a term has `en` and `zh`.") from error
    if bad:
        raise CourseError(f"data/glossary.toml: {', '.join(bad)} lacks its sentence in `en` or `zh`.")
    return {name: [name, *entry.get("also", [])] for name, entry in entries.items()}


class Glossary:
    """Finds terms in notebooks; remembers what each notebook introduces."""

    def __init__(self, notebooks: list[Notebook]) -> None:
        """`notebooks`: all of the course, so that those that one needs can be looked up."""
        self.course = {notebook.number: notebook for notebook in notebooks}
        self.introduced: dict[str, set[str]] = {}
        spellings = [(word, term) for term, words in terms().items() for word in words]
        spellings.sort(key=lambda pair: (pair[0][0].lower(), -len(pair[0])))  # the longest that fits wins
        self.names = [term for _, term in spellings]
        parts = []
        for first, group in groupby(spellings, key=lambda pair: pair[0][0].lower()):  # few are tried at each place
            same = [f"({re.escape(w) if w != w.lower() else f'(?i:{re.escape(w)})'})" for w, _ in group]
            parts.append(rf"(?=(?i:{re.escape(first)}))(?:{'|'.join(same)})")
        self.pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(parts)})(?![\w-])") if parts else None
        self.found: dict[str, list[tuple[int, str, bool]]] = {}

    def _found(self, notebook: Notebook) -> list[tuple[int, str, bool]]:
        """(cell, term, is it introduced there?) for every term in the prose between title and references."""
        if self.course.get(notebook.number) is not notebook:
            return list(self._search(notebook))
        if notebook.number not in self.found:
            self.found[notebook.number] = list(self._search(notebook))
        return self.found[notebook.number]

    def _search(self, notebook: Notebook) -> Iterator[tuple[int, str, bool]]:
        for index, cell in enumerate(notebook.cells, 1):
            content = prose(cell)
            if "title" in tags(cell) or not content:
                continue
            if re.match(r"## References\b", content):
                return
            content = FORMULA.sub("", content)
            marked = [found.span() for found in EMPHASIS.finditer(content)]
            targets = [found.span() for found in TARGET.finditer(content)]
            for found in self.pattern.finditer(content):
                start, end = found.span()
                if any(low < start < high for low, high in targets):
                    continue
                explained = (
                    any(low <= start and end <= high for low, high in marked)
                    or AFTER.match(content, end) is not None
                    or BEFORE.search(content[:start]) is not None
                )
                yield index, self.names[found.lastindex - 1], explained

    def uses(self, notebook: Notebook) -> Iterator[tuple[str, bool]]:
        """(term, is it introduced there?) for every term in the notebook's prose, in order."""
        return ((term, explained) for _, term, explained in (self._found(notebook) if self.pattern else ()))

    def _introduces(self, number: str) -> set[str]:
        """The terms that a notebook, or one it needs, introduces."""
        if number not in self.introduced:
            self.introduced[number] = set()  # also ends a circle of needs
            notebook = self.course.get(number)
            if notebook is not None:
                own = {term for _, term, explained in self._found(notebook) if explained}
                self.introduced[number] = own.union(*map(self._introduces, notebook.needs))
        return self.introduced[number]

    def early(self, notebook: Notebook) -> dict[str, int]:
        """{term: cell} of each first use before the term is introduced, in order."""
        if self.pattern is None:
            return {}
        found = self._found(notebook)
        known = set().union(*map(self._introduces, notebook.needs))
        first: dict[str, int] = {}
        for index, term, explained in found:
            if explained and first.get(term) in (None, index):
                known.add(term)  # in the very cell of its first use is in time
                first.pop(term, None)
            elif term not in known:
                first.setdefault(term, index)
        return first

    def findings(self, notebook: Notebook) -> Iterator[tuple]:
        """A warning for `course check`, all early terms of the notebook in one."""
        if early := self.early(notebook):
            shown = ", ".join(f"{term} (cell {cell})" for term, cell in early.items())
            mend = "explain or link it there, or name the notebook that does in the row `Needs`"
            yield min(early.values()), f"used before it is introduced: {shown}", mend, False
