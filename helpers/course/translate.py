"""The Chinese edition: prose by gettext catalogues in translations/zh; code, outputs and claims stay one source.

A message is one block of Markdown: a heading, a paragraph, an item of a list, a row of a table; of the stored outputs,
the text of a claim, the alternative text of a figure and the blocks of a Markdown output. Its key is the English text,
so a changed sentence shows as untranslated and leaves the rest alone. Fences, formulas set apart, comments, badges and
the list of references are never messages (but a fence of the README that explains is one). Where a translation is
missing, marked `fuzzy` or does not carry what the English carries (formulas, code, link targets, numbers, emphasis),
the English is shown.
"""

from __future__ import annotations

import ast
import copy
import difflib
import html
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path

from helpers.course import badges, folder
from helpers.errors import CourseError
from helpers.notebooks import ROW, Notebook, alt_text, dumps, parts, root, select, settings, text, write_atomically

LANGUAGE = "zh"
SHARED, README = "course", "README"  # catalogues that belong to no single notebook
FOLD, FIGURE, BETWEEN = "This figure in words", "Figure: {}", "{}: between {} and {}"
HEADER = (
    "# Simplified Chinese of {source}. `course translate` keeps this file: translate between the quotes of msgstr.\n"
    'msgid ""\nmsgstr ""\n"Language: zh_Hans\\n"\n"MIME-Version: 1.0\\n"\n'
    '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
)

# What is copied letter by letter. Blocks stand on lines of their own; spans stand within a message.
BLOCKS = re.compile(
    r"^ *(?P<fence>```+|~~~+).*?^ *(?P=fence)[`~]* *$"
    r"|<!-- (?P<name>badges|languages|map|times|graph|minutes) -->.*?<!-- /(?P=name) -->"
    r"|^ *<!--.*?--> *$"
    r"|^ *\$\$.*?\$\$ *$",
    re.M | re.S,
)
SPANS = re.compile(
    r"(?P<code>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<math>(?<!\\)\$\$.+?\$\$|(?<!\\)\$[^$]+?(?<!\\)\$)"
    r"|(?P<comment><!--.*?-->)"
    r"|(?P<auto><(?:https?|mailto):[^>\s]+>)"
    r"|(?P<link>(?<=\])\((?:[^()\s]|\([^()]*\))*(?: \"[^\"]*\")?\))",
    re.S,
)
KEPT = {"math": "formulas", "code": "code", "link": "links", "auto": "links", "comment": "comments"}
CLAIM = re.compile(r"^✓ (?P<claim>.+?)(?:: between (?P<low>-?[\d.]+) and (?P<high>-?[\d.]+))?$", re.M)
TARGET = re.compile(r"(?<=\]\()[^()\s]+(?=[)\s])")
NUMBER = re.compile(r"(\d+(?:[.,]\d+)*)(?:[  -]?(thousand|million|billion|trillion|百万|[万亿]+))?")
SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "万": 1e4, "百万": 1e6, "亿": 1e8}
SCALES |= {"万亿": 1e12}
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
MONTHS += ("November", "December")


def available() -> bool:
    """Whether Babel, which reads and writes the catalogues, is installed; JupyterLab brings it."""
    from importlib.util import find_spec

    return find_spec("babel") is not None


def begun() -> bool:
    """Whether there is something in Chinese, and what it takes to read it."""
    return (root() / "translations" / LANGUAGE).is_dir() and available()


# --- Markdown as messages -------------------------------------------------------------------------------------------


@cache
def _parser():
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table")


def _masked(source: str) -> str:
    """The source with spans that are not prose replaced by letters, so that nothing in them is taken for Markdown."""
    return SPANS.sub(lambda found: re.sub(r"[^\n]", "x", found[0]) if not found["link"] else found[0], source)


def pieces(source: str, fences: bool = False) -> list[tuple[str, str, str, str]]:
    """A Markdown text cut into (text, message, what stands before it on its line, kind); message '' for what is copied.

    The texts joined are the source. With `fences` a fence is a message, too: a page for people explains in them.
    """
    found, at, references = [], 0, False
    for block in [*BLOCKS.finditer(source), None]:
        end = block.start() if block else len(source)
        for piece in _prose(source[at:end]):
            references = piece[1] == "References" if piece[3] == "heading" else references
            cite = references and piece[3] == "item"  # a reference is cited in its own language
            found.append((piece[0], "", "", "") if cite else piece)
        if block:
            explains = fences and block["fence"] and re.search(r"\S {2,}\S", block[0])
            found.append((block[0], block[0], "", "fence") if explains else (block[0], "", "", ""))
            at = block.end()
    return found


def _prose(source: str) -> Iterator[tuple[str, str, str, str]]:
    """pieces() of a text in which no block is copied whole."""
    lines, hidden, at, depth = source.split("\n"), _masked(source), 0, 0
    masked, made, kind = hidden.split("\n"), [], ""
    for token in _parser().parse(hidden):
        depth += {"table_open": 1, "table_close": -1}.get(token.type, 0)
        kind = {"heading_open": "heading", "paragraph_open": "paragraph"}.get(token.type, kind)
        row = token.type == "tr_open"
        if not row and (token.type != "inline" or depth):
            continue
        first, last = token.map
        if row:
            start, kind_here = len(lines[first]) - len(lines[first].lstrip()), "row"
        else:
            start = masked[first].rindex(token.content.split("\n")[0])
            kind_here = "item" if kind == "paragraph" and lines[first][:start].strip(" >") else kind
        words = _joined([lines[first][start:], *(line.lstrip(" >") for line in lines[first + 1 : last])])
        if kind_here == "heading":
            words = words.rstrip("# ") if words.endswith(" #") else words
        if _translatable(words):
            made += [("\n".join(lines[at:first]), "", "", "")] if first > at else []
            made.append(("\n".join(lines[first:last]), words, lines[first][:start], kind_here))
            at = last
    made += [("\n".join(lines[at:]), "", "", "")] if at < len(lines) else []
    for number, piece in enumerate(made):  # the line ends between the pieces belong to the one before
        yield (piece[0] + "\n" * (number < len(made) - 1), *piece[1:])


def _joined(lines: list[str]) -> str:
    """The lines of a paragraph as one; a line break that the author set stays."""
    whole = ""
    for line in lines[:-1]:
        hard = line.endswith(("  ", "\\"))
        whole += line + "\n" if hard else line.rstrip() + " "
    return whole + lines[-1].rstrip()


def _translatable(words: str) -> bool:
    return re.search(r"[^\W\d_]", SPANS.sub("", words)) is not None


def render(source: str, say: Callable[[str], str], fences: bool = False) -> str:
    """The Markdown with each message as `say` says it; a message that comes back unchanged keeps its line ends."""
    shown = []
    for whole, words, before, _ in pieces(source, fences):
        said = say(words) if words else words
        if said == words:
            shown.append(whole)
        else:
            indent = re.sub(r"[^>]", " ", before)
            shown.append(before + said.replace("\n", "\n" + indent) + "\n" * whole.endswith("\n"))
    return "".join(shown)


# --- what a translation must carry ----------------------------------------------------------------------------------


def _numbers(words: str) -> Counter:
    found: list[float | str] = []
    for digits, unit in NUMBER.findall(SPANS.sub(" ", words)):
        plain = re.sub(r",(?=\d{3}(?!\d))", "", digits)
        try:
            found.append(round(float(plain) * SCALES.get(unit, 1), 9))
        except ValueError:
            found.append(plain)  # a version, say
    return Counter(found)


def _emphasis(words: str) -> Counter:
    tokens = _parser().parseInline(_masked(words))[0].children or []
    return Counter(token.type for token in tokens if token.type in ("strong_open", "em_open", "link_open", "image"))


def faults(words: str, said: str) -> list[str]:
    """What the translation `said` lacks or adds, measured by its English `words`; [] where it may be shown."""
    wrong = []
    if words.startswith(("```", "~~~")):
        same = words.count("\n") == said.count("\n") and words.split("\n")[0] == said.split("\n")[0]
        return [] if same else ["lines of the fence"]
    for kind, name in KEPT.items():
        here, there = (Counter(m[0] for m in SPANS.finditer(one) if m[kind]) for one in (words, said))
        if here != there:
            wrong.append(f"{name}: {', '.join([*(here - there), *(there - here)])}")
    if not wrong:
        ours, theirs = _numbers(words), _numbers(said)
        months = Counter(float(n) for n, name in enumerate(MONTHS, 1) if name in words)
        if ours - theirs or theirs - ours - months:
            odd = [*(ours - theirs), *(theirs - ours - months)]
            wrong.append(f"numbers: {', '.join(f'{n:g}' if isinstance(n, float) else n for n in odd)}")
        if _emphasis(words) != _emphasis(said):
            wrong.append("emphasis: ** and * as they are drawn (put a space between them and a letter behind “。”)")
        if words.startswith("|") and SPANS.sub("", words).count("|") != SPANS.sub("", said).count("|"):
            wrong.append("columns of the row")
    return wrong


# --- catalogues -----------------------------------------------------------------------------------------------------


def place(name: str) -> Path:
    """The catalogue of a notebook (its number), of the README or of what all share."""
    return root() / "translations" / LANGUAGE / f"{name}.po"


def read(name: str):
    """The catalogue (Babel's), empty where there is none; raises CourseError where the file cannot be read whole."""
    from babel.messages import Catalog
    from babel.messages.pofile import PoFileError, denormalize, read_po

    path = place(name)
    if not path.exists():
        return Catalog()
    try:
        content = path.read_text(encoding="utf-8")
        catalogue = read_po(io.StringIO(content), charset="utf-8", abort_invalid=True)
    except (PoFileError, UnicodeDecodeError, ValueError) as error:
        raise CourseError(f"{path.name} cannot be read ({error}): mend that line, or restore it with Git.") from error
    if len(re.findall(r"^msgid ", content, re.M)) != len(catalogue) + ("msgid" in content):
        raise CourseError(
            f"{path.name} has a message twice, or no header: keep one of the two, or restore it with Git."
        )
    for message in catalogue:  # Babel takes `#| msgid`, the English before a change, for a comment
        previous = [line.lstrip("| ") for line in message.user_comments if line.startswith("|")]
        message.user_comments = [line for line in message.user_comments if not line.startswith("|")]
        if previous and message.fuzzy:
            message.previous_id = [denormalize(" ".join(previous).removeprefix("msgid ").strip())]
    return catalogue


def _closest(words: str, others: Iterable[str]) -> str | None:
    """The one of `others` that shares most words, in order, with these; None where none shares three in five."""
    matcher, best, share = difflib.SequenceMatcher(None, b=words.split(), autojunk=False), None, 0.6
    for other in others:
        matcher.set_seq1(other.split())
        if matcher.real_quick_ratio() >= share and matcher.quick_ratio() >= share and matcher.ratio() >= share:
            best, share = other, matcher.ratio()
    return best


def merged(old, wanted: dict[str, str], borrowed: dict[str, str] | None = None):
    """A catalogue of the wanted messages ({English: kind}) with all the text that `old` has; nothing of it is lost.

    What is no longer wanted goes to the obsolete ones at the end and comes back with its sentence. A new message that
    is close to a lost one takes its text, marked fuzzy. `borrowed` are translations of equal messages elsewhere.
    """
    from babel.messages import Catalog

    new, borrowed = Catalog(), borrowed or {}
    known = {m.id: m for m in [*old.obsolete.values(), *old] if m.id}
    lost = {m.id: m for m in old if m.id and m.string and m.id not in wanted}
    for words, kind in wanted.items():
        string, flags, comments, previous = borrowed.get(words, ""), set(), [], []
        if words in known and known[words].string:
            same = known[words]
            string, comments, previous = same.string, same.user_comments, same.previous_id
            flags = {"fuzzy"} & set(same.flags)
        elif not string and (close := _closest(words, lost)):
            string, flags, previous = lost[close].string, {"fuzzy"}, [close]
        message = new.add(words, string, auto_comments=[kind], user_comments=comments, previous_id=previous)
        message.flags = flags  # not Babel's guess that `20 % of` is a Python format
    strings = {message.string for message in new}
    for words, message in known.items():
        if words not in wanted and message.string and not (message.fuzzy and message.string in strings):
            new.obsolete[words] = message
    return new


def written(catalogue, name: str, source: str) -> str:
    """The catalogue as its file has it; the head of a file that is there is kept as it is."""
    from babel.messages.pofile import write_po

    path, head = place(name), HEADER.format(source=source)
    if path.exists() and 'msgid ""' in (there := path.read_text(encoding="utf-8").split("\n\n", 1)[0]):
        head = there + "\n"
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=0, omit_header=True, include_previous=True)
    return f"{head}\n{buffer.getvalue().decode().strip()}\n"


class Words:
    """Says a message in Chinese where one of the catalogues can, else in English."""

    def __init__(self, *names: str) -> None:
        """`names`: catalogues, the first that has a message says it."""
        self.said: dict[str, str] = {}
        for name in names:
            for message in read(name):
                if message.id and message.string and not message.fuzzy and not faults(message.id, message.string):
                    self.said.setdefault(message.id, message.string)

    def __call__(self, words: str) -> str:
        """The Chinese, or the English."""
        return self.said.get(words, words)


# --- notebooks ------------------------------------------------------------------------------------------------------


def messages(notebook: Notebook) -> dict[str, str]:
    """{English: kind} of all that a reader of the notebook reads, in its order."""
    found: dict[str, str] = {}
    for cell in notebook.cells:
        if cell["cell_type"] == "markdown":
            for _, words, _, kind in pieces(text(cell["source"])):
                found |= {words: kind} if words and words not in found else {}
        for output in cell.get("outputs", []):
            for claim in CLAIM.finditer(text(output.get("text"))):
                found.setdefault(claim["claim"], "claim")
            if alt := alt_text(output, "image/png"):
                found.setdefault(alt, "alternative text")
            for _, words, _, kind in pieces(text(output.get("data", {}).get("text/markdown"))):
                found |= {words: f"output, {kind}"} if words and words not in found else {}
    return found


def _output(output: dict, say: Callable[[str], str], alt: str) -> dict:
    """A stored output with its claims, Markdown and alternative texts said; `alt`: that of the figure before it."""

    def claim(found: re.Match) -> str:
        said = say(found["claim"])
        return "✓ " + (say(BETWEEN).format(said, found["low"], found["high"]) if found["low"] else said)

    output = copy.deepcopy(output)
    if output.get("name") == "stdout":
        output["text"] = CLAIM.sub(claim, text(output["text"]))
    data = output.get("data", {})
    if "text/markdown" in data:
        data["text/markdown"] = render(text(data["text/markdown"]), say)
    if here := alt_text(output, "image/png"):
        output["metadata"]["image/png"]["alt"] = say(here)
        data["text/plain"] = say(FIGURE).format(say(here))
    if alt and html.escape(alt) in text(data.get("text/html")):
        shown = text(data["text/html"]).replace(html.escape(alt), html.escape(say(alt)))
        data["text/html"] = shown.replace(f"<summary>{FOLD}</summary>", f"<summary>{say(FOLD)}</summary>")
    return output


class Translated(Notebook):
    """A notebook as its Chinese reader finds it; the rows of its title table keep their English names for code."""

    @cached_property
    def table(self) -> dict[str, str]:
        """The rows of the title table, by lower-case English name."""
        names = Notebook.read(self.path).table
        return dict(zip(names, (value for _, value in ROW.findall(self.title_text)), strict=False))


def translated(notebook: Notebook, say: Callable[[str], str] | None = None) -> Translated:
    """The notebook with prose, claims and alternative texts in Chinese; code and all other outputs are the source's."""
    say = say or Words(notebook.number, SHARED)
    raw = copy.deepcopy(notebook.raw)
    for cell in raw["cells"]:
        if cell["cell_type"] == "markdown":
            source = text(cell["source"]).replace(badges.UNSET, say(badges.UNSET))
            cell["source"] = _anchored(render(source, say))
        alt = ""
        for place_, output in enumerate(cell.get("outputs", [])):
            cell["outputs"][place_] = _output(output, say, alt)
            alt = alt_text(output, "image/png") or alt
    raw["metadata"]["course"] = {"language": LANGUAGE}  # no stamp: it is that of the English outputs
    return Translated(notebook.path, raw)


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").replace("*", "").lower()).replace(" ", "-")


@cache
def _headings(path: Path, _: float) -> dict[str, str]:
    """{anchor in English: in Chinese} of a notebook's headings."""
    notebook = Notebook.read(path)
    say, found = Words(notebook.number, SHARED), {}
    for cell in notebook.cells:
        if cell["cell_type"] == "markdown":
            found |= {_slug(w): _slug(say(w)) for _, w, _, kind in pieces(text(cell["source"])) if kind == "heading"}
    return found


def _anchored(source: str) -> str:
    """Links to headings of notebooks lead to the heading's Chinese name."""

    def shown(found: re.Match) -> str:
        name, _, anchor = found[0].partition("#")
        path = root() / "notebooks" / name
        if not anchor or not re.fullmatch(r"\d\d_\w+\.ipynb", name) or not path.exists():
            return found[0]
        catalogue = place(name[:2])
        there = _headings(path, catalogue.stat().st_mtime if catalogue.exists() else 0.0)
        return f"{name}#{there.get(anchor, anchor)}"

    return TARGET.sub(shown, source)


def copy_of(notebook: Notebook, out: Path, written_too: set[str]) -> dict:
    """The Chinese notebook to run and read in the folder `out`, where those of `written_too` (file names) lie, too."""

    def link(found: re.Match) -> str:
        target, mark, anchor = found[0].partition("#")
        if not target or target in written_too or re.match(r"[a-z][a-z0-9+.-]*:", target):
            return found[0]
        there = os.path.relpath(notebook.path.parent / target, out)
        return Path(there).as_posix() + mark + anchor

    raw = translated(notebook).raw
    for cell in raw["cells"]:
        cell.get("metadata", {}).pop("course", None)
        if cell["cell_type"] == "markdown":
            cell["source"] = TARGET.sub(link, cell["source"])
    folder.sign(raw)  # so that a copy in which nobody typed is known, here and to `make clean`
    return raw


def write(notebooks: list[Notebook], out: Path) -> Iterator[tuple[Path, bool]]:
    """Write Chinese notebooks; gives each path and whether it was written (False: somebody's work lies there).

    Raises CourseError for the folder of the notebooks themselves.
    """
    if out.exists() and out.samefile(root() / "notebooks"):
        raise CourseError("That is the folder of the notebooks themselves; choose another for the Chinese ones.")
    names = {notebook.path.name for notebook in notebooks} | {path.name for path in out.glob("*.ipynb")}
    for notebook in notebooks:
        path = out / notebook.path.name
        free = not os.path.lexists(path) or folder.written_by_us(path)
        if free:
            write_atomically(path, dumps(copy_of(notebook, out, names)))
        yield path, free


# --- README and what all share --------------------------------------------------------------------------------------


def _short(notebook: Notebook) -> str:
    return notebook.slug.replace("_", " ").capitalize()


def shared() -> dict[str, str]:
    """{English: kind} of what belongs to no single page: names of parts and notebooks, words around outputs."""
    found = dict.fromkeys((FOLD, FIGURE, BETWEEN, badges.UNSET), "notebooks")
    found |= {words: "part" for title, _, covers in parts().values() for words in (title, covers)}
    found |= {_short(notebook): "name of a notebook" for notebook in select()}
    return dict.fromkeys(_said_by("site.py"), "site") | found | dict.fromkeys(README_WORDS, "README")


def _said_by(name: str) -> Iterator[str]:
    """What a module beside this one gives to `say`, word by word."""
    for node in ast.walk(ast.parse(Path(__file__).with_name(name).read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", "") == "say"
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node.args[0].value


LINKS = (  # from either page to the other
    "English · [中文](README.zh.md)",
    "[English](README.md) · 中文\n\n"
    "中文笔记本：输入 `course translate`，然后打开文件夹 `build/zh`；或用 `make site` 制作网页 `build/site/zh`。"
    "尚未译出的句子显示英文。",
)
README_WORDS = ("part", "what it covers", "notebooks that are ready", "notebook", "seconds", "peak MB")
README_WORDS += ("all, one after another",)


def readme() -> str:
    """README.zh.md, from README.md: prose by its catalogue, map and table of times by that of what all share."""
    source, say = _readme(), Words(README, SHARED)

    def renamed(found: re.Match) -> str:
        block = found[0]
        for words in (*README_WORDS, *(w for title, _, covers in parts().values() for w in (title, covers))):
            block = re.sub(rf"(?<=[|·] ){re.escape(words)}(?= \|)", lambda _, words=words: say(words), block)
        for notebook in select():
            name = say(_short(notebook))
            block = block.replace(f"[{notebook.number} {_short(notebook)}]", f"[{notebook.number} {name}]")
            block = block.replace(f"| {notebook.label} |", f"| {notebook.number} · {name} |")
        return block

    source = source.replace(badges.UNSET, say(badges.UNSET)).replace(*LINKS)
    page = badges.TIMES.sub(renamed, badges.MAP.sub(renamed, render(source, say, fences=True)))
    return badges.CLONE.sub(lambda found: found[1] + (settings()["repository"] or "OWNER/NAME"), page)


def _readme() -> str:
    """README.md without this copy's own address, which is no matter for a translator."""
    content = (root() / "README.md").read_text(encoding="utf-8")
    return badges.CLONE.sub(r"\1OWNER/NAME", content)


def renew_readme() -> bool:
    """Write README.zh.md where it is begun and differs from what it should be; returns whether it did."""
    page = root() / "README.zh.md"
    if not place(README).exists() or not available():
        return False
    fresh = readme()
    if page.exists() and page.read_text(encoding="utf-8") == fresh:
        return False
    write_atomically(page, fresh)
    return True


def sources() -> dict[str, tuple[str, dict[str, str]]]:
    """{name: (what it is the Chinese of, its messages)} of every catalogue there is or could be."""
    content = _readme()
    found = {SHARED: ("what all pages share", shared())}
    found[README] = ("README.md", {words: kind for _, words, _, kind in pieces(content, fences=True) if words})
    return found | {nb.number: (f"notebooks/{nb.path.name}", messages(nb)) for nb in select()}


def refresh(names: list[str] | tuple[str, ...] = ()) -> list[str]:
    """Bring catalogues up to date with their English: `names`, which it may begin, or all there are; returns which."""
    every, done = sources(), []
    there = [name for name in every if place(name).exists() or name in names]
    borrowed: dict[str, str] = {}
    for name in there:
        borrowed = {m.id: m.string for m in read(name) if m.id and m.string and not m.fuzzy} | borrowed
    for name in there:
        if names and name not in names:
            continue
        source, wanted = every[name]
        content = written(merged(read(name), wanted, borrowed), name, source)
        if not place(name).exists() or place(name).read_text(encoding="utf-8") != content:
            write_atomically(place(name), content)
        done.append(name)
    return done


def state(name: str, wanted: dict[str, str]) -> tuple[int, list[str]]:
    """How many of the wanted messages are shown in Chinese, and why others that have a text are not."""
    catalogue, good, why = read(name), 0, []
    for words in wanted:
        message = catalogue.get(words)
        if message is None or not message.string:
            continue
        wrong = ["fuzzy: compare it with the English, then take the mark off"] if message.fuzzy else []
        wrong += faults(words, message.string)
        good += not wrong
        why += [f"“{words[:50]}{'…' * (len(words) > 50)}”: {'; '.join(wrong)}"] if wrong else []
    return good, why


def findings(notebooks: list[Notebook], everything: bool) -> Iterator[tuple[str, str, str]]:
    """(file, what, how to mend it) for `course check`: what is missing. Never an error, since the English is shown."""
    if not (root() / "translations" / LANGUAGE).is_dir():
        return
    if not available():
        yield f"translations/{LANGUAGE}", "not looked at: Babel is not installed", "install the extra `lab`"
        return
    wanted = {nb.number: messages(nb) for nb in notebooks}
    if everything:
        every = sources()
        wanted |= {name: every[name][1] for name in (SHARED, README)}
    begun = [name for name in wanted if place(name).exists()]
    for name in begun:
        good, why = state(name, wanted[name])
        if good < len(wanted[name]):
            what = f"{len(wanted[name]) - good} of {len(wanted[name])} messages are shown in English"
            what += "".join(f" ({one})" for one in why[:1])
            yield f"translations/{LANGUAGE}/{name}.po", what, f"`course translate {name}`, then fill in msgstr"
    if missing := [name for name in wanted if name not in begun]:
        what = f"not in Chinese yet: {' '.join(sorted(missing))}"
        yield f"translations/{LANGUAGE}", what, "`course translate NN` begins one"
    page = root() / "README.zh.md"
    if everything and README in begun and (not page.exists() or page.read_text(encoding="utf-8") != readme()):
        yield page.name, "is not what README.md and its catalogue give", "type `course translate`"
