import json
import re
import subprocess
import tomllib
from copy import deepcopy
from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers.course import badges, glossary, hygiene
from helpers.course.cli import course
from helpers.errors import CourseError
from helpers.notebooks import Notebook, code_hash, dumps, outputs_hash, select

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SHA = "a" * 64
ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = """
["AUC"]
also = ["area under the curve"]
en = "A share of pairs."
zh = "一个比例。"
["TWAP"]
en = "Equal parts."
zh = "等份。"
"""


def cell(source, *tags, outputs=(), **metadata):
    kind = "markdown" if source.startswith(("#", "Task", "[")) and "setup" not in tags else "code"
    made = {"cell_type": kind, "id": f"c{abs(hash((source, tags))):x}"[:20], "metadata": metadata, "source": source}
    if tags:
        made["metadata"] = {**metadata, "tags": list(tags)}
    if kind == "code":
        made |= {"execution_count": 1, "outputs": list(outputs)}
    return made


def figure(alt="A line that rises"):
    return {
        "output_type": "display_data",
        "data": {"image/png": PIXEL, "text/plain": "Figure"},
        "metadata": {"image/png": {"alt": alt}} if alt else {},
    }


def stream(words, name="stdout"):
    return {"output_type": "stream", "name": name, "text": words}


def exercise(number):
    return [
        cell(f"Task {number}: set the answer.", "exercise"),
        cell(f"answer = {number}", "solution", jupyter={"source_hidden": True}),
        cell(f"assert answer == {number}", "check", course={"wrong": ["answer = 0", "answer = None"]}),
    ]


def notebook(number="11", name="Toy regression"):
    """A notebook without a fault."""
    cells = [
        cell(
            f"# {number} · {name}\n\nOne sentence of promise.\n\n| | |\n|---|---|\n| Time | about 2 s (quick) |\n"
            "| Needs | nothing, 56 helps |\n| Data | toy_set, world |\n| You will be able to | read, run, check |\n",
            "title",
        ),
        cell(badges.setup_source(), "setup"),
        cell("import json"),
        cell('PROFILE = "quick"\nSEED = 7', "parameters"),
        cell("## The question\n\nSee [the end](#Takeaways) and [`code`](#the-question)."),
        cell("print(json.dumps(SEED))", outputs=[stream("7\n"), figure()]),
        cell("assert SEED == 7", "claims"),
        *exercise(1),
        *exercise(2),
        *exercise(3),
        *(cell(f"Task {i} to read: " + "word " * 50) for i in range(40)),  # the length of a lesson
        cell("## Takeaways\n\nOne."),
        cell("## Scope of these numbers\n\nSmall."),
        cell("## References\n\nNone."),
    ]
    raw = {
        "cells": cells,
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
    }
    return stamp(raw)


def stamp(raw):
    made = {"code_sha256": code_hash(raw), "outputs_sha256": outputs_hash(raw), "data": {"toy_set": {"a.csv": SHA}}}
    raw["metadata"]["course"] = {"stamp": made}
    return raw


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data/sets").mkdir(parents=True)
    (tmp_path / "data/sets/toy_set.toml").write_text(f'files = [{{path = "a.csv", sha256 = "{SHA}"}}]\n')
    (tmp_path / "data/glossary.toml").write_text(GLOSSARY, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[project.optional-dependencies]\nmarkets = ["cvxpy>=1.9", "Quant_Lib>=1"]\n'
        '[tool.course]\nrepository = "ada/course"\nbranch = "main"\n[tool.x]\n'
    )
    (tmp_path / "README.md").write_text(
        "# Course\n\n<!-- badges -->\n<!-- /badges -->\n"
        "<!-- map -->\n<!-- /map -->\n<!-- times -->\n<!-- /times -->\n"
        "git clone https://github.com/ada/course course\n"
    )
    write(tmp_path, notebook())
    badges.renew(write=True)
    return tmp_path


def write(tree, raw, name="11_toy_regression.ipynb"):
    path = tree / "notebooks" / name
    path.write_text(dumps(raw), encoding="utf-8")
    return path


def findings(tree):
    return hygiene.check(select())


def read(tree):
    return json.loads((tree / "notebooks/11_toy_regression.ipynb").read_text(encoding="utf-8"))


def test_a_clean_notebook_has_no_finding(tree):
    assert findings(tree) == []
    result = CliRunner().invoke(course, ["check"])
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "0 errors, 0 warnings in 1 notebooks"


def at(raw, tag):
    return next(c for c in raw["cells"] if tag in c["metadata"].get("tags", []))


def body(raw):
    return raw["cells"][5]


def put(target, **items):
    target.update(items)


def title(old, new):
    return lambda raw: put(raw["cells"][0], source="".join(raw["cells"][0]["source"]).replace(old, new))


def markdown(source):
    return lambda raw: put(raw["cells"][4], source=source)


def code(source):
    return lambda raw: put(body(raw), source=source)


def out(*outputs):
    return lambda raw: put(body(raw), outputs=list(outputs))


ERROR = {"output_type": "error", "ename": "KeyError", "evalue": "", "traceback": []}
WIDGET = {"output_type": "display_data", "metadata": {}, "data": {"application/vnd.jupyter.widget-view+json": {}}}
LONG = "\n".join(f"x{i} = {i}" for i in range(26))
# name of the fault: (how to plant it, words of the finding)
FAULTS = {
    "no title tag": (lambda raw: raw["cells"][0]["metadata"].clear(), "not Markdown tagged `title`"),
    "two H1": (markdown("# Again"), "2 first-level headings"),
    "number of another": (title("# 11", "# 12"), "does not fit the file name"),
    "title of another": (title("Toy regression", "Something"), "does not fit the file name"),
    "row missing": (title("| Time |", "| Hours |"), "title table lacks Time"),
    "badge of another file": (title("blob/main/notebooks/11_toy", "blob/main/notebooks/12_toy"), "badges missing"),
    "unknown need": (title("56 helps", "58 helps"), "needs notebook 58"),
    "linked need to come": (title("56 helps", "[56](56_quantum.ipynb)"), "leads nowhere"),
    "package unknown": (title("| Time |", "| Packages | cvxpy, nope |\n| Time |"), "package 'nope' is in no extra"),
    "package not asked for": (title("| Time |", "| Packages | cvxpy |\n| Time |"), "disagree: nothing is asked for"),
    "package not in the row": (code('session.start(needs=("cvxpy",))'), "disagree: cvxpy is asked for"),
    "term too early": (markdown("## Q\n\nAn AUC of 0.7."), "before it is introduced: AUC (cell 5)"),
    "no wrong answers": (lambda raw: at(raw, "check")["metadata"].pop("course"), "without 2 wrong answers"),
    "one wrong answer twice": (
        lambda raw: put(at(raw, "check")["metadata"], course={"wrong": ["a = 1", "a = 1 "]}),
        "without 2 wrong answers to refuse: cells 10",
    ),
    "many claims": (code("evidence.claim('x', True)\n" * 13), "13 claims"),
    "short": (lambda raw: raw["cells"].__delitem__(slice(17, 50)), "cells"),
    "long-winded": (markdown("## Q\n\n" + "word " * 2000), "words of prose"),
    "claims not compared": (
        lambda raw: put(at(raw, "claims")["metadata"], tags=["claims", "nbval-ignore-output"]),
        "exempt from comparison",
    ),
    "unknown data": (title("toy_set, world", "other_set"), "'other_set' has no file in data/sets"),
    "data not loaded": (title("toy_set, world", "world"), "run loaded toy_set"),
    "setup missing": (lambda raw: raw["cells"].pop(1), "`setup` cell is missing"),
    "setup changed": (lambda raw: put(raw["cells"][1], source=badges.setup_source() + "\n"), "set-up cell differs"),
    "imports missing": (lambda raw: raw["cells"].pop(2), "imports nothing"),
    "parameters late": (
        lambda raw: raw["cells"].insert(5, raw["cells"].pop(3)),
        "`parameters` cell is missing, doubled",
    ),
    "parameters twice": (
        lambda raw: raw["cells"].insert(4, raw["cells"][3] | {"id": "x"}),
        "`parameters` cell is missing, doubled",
    ),
    "profile full": (
        lambda raw: put(raw["cells"][3], source='PROFILE = "full"\nSEED = 7'),
        "parameters are not the course's",
    ),
    "no claims": (lambda raw: at(raw, "claims")["metadata"].clear(), "no claims cell"),
    "claims late": (lambda raw: raw["cells"].insert(12, raw["cells"].pop(6)), "claims cell out of place"),
    "section missing": (lambda raw: raw["cells"].pop(), "no section `## References`"),
    "sections swapped": (lambda raw: raw["cells"].append(raw["cells"].pop(-3)), "out of order"),
    "section before exercises": (lambda raw: raw["cells"].insert(4, raw["cells"].pop(-3)), "'Takeaways' out of order"),
    "two exercises": (lambda raw: raw["cells"].__delitem__(slice(7, 10)), "2 exercises"),
    "open solution": (lambda raw: at(raw, "solution")["metadata"].pop("jupyter"), "in plain sight"),
    "no task": (lambda raw: raw["cells"].pop(7), "no task before"),
    "no check": (lambda raw: raw["cells"].pop(9), "no check after"),
    "no stamp": (lambda raw: raw["metadata"].pop("course"), "no stamp"),
    "code changed": (code("print(8)"), "the code has changed"),
    "solution changed": (lambda raw: put(at(raw, "solution"), source="answer = 9"), "the code has changed"),
    "output tampered": (out(stream("8\n"), figure()), "not those of the stamped run"),
    "alt text tampered": (out(stream("7\n"), figure("Else")), "not those of the stamped run"),
    "other data": (
        lambda raw: put(raw["metadata"]["course"]["stamp"], data={"toy_set": {"a.csv": "b" * 64}}),
        "stale stamp: toy_set (a.csv)",
    ),
    "too slow": (
        lambda raw: put(raw["metadata"]["course"]["stamp"], seconds=61.0),
        "took 61.0 seconds; the limit is 60",
    ),
    "too much memory": (lambda raw: put(raw["metadata"]["course"]["stamp"], peak_mb=2100), "took 2100 peak_mb"),
    "no alt": (out(figure(None)), "figure without alt text"),
    "markdown image": (markdown("## Q\n\n![](https://x.org/a.png)"), "image without alt text"),
    "path": (out(stream("saved /home/ada/x.csv")), "path or user name"),
    "windows path": (out(stream("C:\\Users\\ada")), "path or user name"),
    "path in code": (code("open('/home/ada/x.csv')"), "an absolute path"),
    "stderr": (out(stream("hm", "stderr")), "stored stderr"),
    "error": (out(ERROR), "stored error: KeyError"),
    "widget": (out(WIDGET), "a stored widget"),
    "widget state": (lambda raw: raw["metadata"].update(widgets={}), "metadata that does not belong: widgets"),
    "papermill left": (
        lambda raw: body(raw)["metadata"].update(papermill={}),
        "metadata that does not belong: papermill",
    ),
    "progress": (out(stream("1/9\r2/9")), "progress-bar debris"),
    "tqdm": (out(stream(" 45%|████▌     | 45/100")), "progress-bar debris"),
    "address": (out(stream("<object at 0x7f0c12345678>")), "memory address"),
    "too big": (out(stream("x" * 1_600_000)), "1.6 MB"),
    "blanket filter": (code('import warnings\nwarnings.filterwarnings("ignore")'), "all warnings are silenced"),
    "simple filter": (code("warnings.simplefilter('ignore')"), "all warnings are silenced"),
    "pip": (code("%pip install x"), "installs packages"),
    "bang pip": (code("if 1:\n    !pip install x"), "installs packages"),
    "dead link": (markdown("## Q\n\n[x](12_none.ipynb)"), "'12_none.ipynb' leads nowhere"),
    "dead anchor": (markdown("## Q\n\n[x](#nowhere)"), "a heading that does not exist"),
    "dead anchor elsewhere": (
        markdown("## Q\n\n[x](11_toy_regression.ipynb#nowhere)"),
        "a heading that does not exist",
    ),
    "absolute link": (markdown("## Q\n\n[x](/notebooks/11.ipynb)"), "is absolute"),
    "long cell": (code(LONG), "26 lines of code"),
    "invalid": (lambda raw: body(raw).pop("outputs"), "not a valid notebook"),
}
STALE = {"code changed", "solution changed", "output tampered", "alt text tampered", "other data", "no stamp"}
STALE |= {"too slow", "too much memory"}
WARNINGS = {"long cell", "address", "data not loaded", "too slow", "too much memory", "term too early", "short"}
WARNINGS |= {"no wrong answers", "one wrong answer twice", "many claims", "long-winded"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(tree, fault):
    plant, words = FAULTS[fault]
    raw = read(tree)
    plant(raw)
    if fault not in STALE:
        course_metadata = raw["metadata"].get("course")
        raw = stamp(raw) if course_metadata else raw
    write(tree, raw)
    found = findings(tree)
    hits = [finding for finding in found if words in finding.what]
    assert hits, found
    assert hits[0].error == (fault not in WARNINGS)
    assert re.fullmatch(r"11_toy_regression\.ipynb · (cell \d+|the file) · .+ · .+", str(hits[0]))
    result = CliRunner().invoke(course, ["check"])
    assert result.exit_code == int(any(finding.error for finding in found))


def test_named_filters_and_words_like_paths_pass(tree):
    raw = read(tree)
    body(raw)["source"] = (
        "import warnings\nwarnings.filterwarnings('ignore', category=FutureWarning, module='x')\n"
        "url = 'https://x.org/home/a'\nhalf = a/tmp/b"
    )
    put(body(raw), outputs=[stream("and/or https://x.org/home/a 1/2\nnext\r\n")])
    write(tree, stamp(raw))
    assert findings(tree) == []


def test_an_expected_error_may_be_stored(tree):
    raw = read(tree)
    body(raw)["metadata"]["tags"] = ["raises-exception"]
    put(body(raw), outputs=[ERROR])
    write(tree, stamp(raw))
    assert findings(tree) == []


def test_names_and_readme(tree):
    raw = notebook("11", "Toy regression")
    write(tree, raw, "Copy of 11.ipynb")
    (tree / "README.md").write_text("no badges, [dead](nowhere.md)\n")
    words = [f.what for f in findings(tree)]
    assert any("not named" in w for w in words)
    assert any("badges missing" in w for w in words)
    assert any("'nowhere.md' leads nowhere" in w for w in words)


@pytest.mark.parametrize(
    "words",
    [
        "The **AUC** counts pairs.",
        "The *area under the curve* counts pairs.",
        "AUC (the share of pairs in order) is used.",
        "The area under the curve (AUC) is used.",
        "[AUC](#the-question) is used.",
        "The AUC is the share of pairs in order.",
        "What `AUC` and $AUC$ and AUCs and MAUC are is not at stake.",
    ],
)
def test_a_term_may_be_introduced_where_it_is_first_used(tree, words):
    raw = read(tree)
    markdown(f"## The question\n\n{words}")(raw)
    raw["cells"].insert(5, cell("Task: read the AUC again.") if "stake" not in words else cell("Task: go on."))
    write(tree, stamp(raw))
    assert findings(tree) == []


def test_a_term_may_be_introduced_by_a_notebook_that_is_needed_but_not_by_another(tree):
    first = read(tree)
    markdown("## The question\n\nThe **AUC** and the **TWAP**.")(first)
    write(tree, stamp(first))
    for needs, early in (("11", []), ("nothing", ["AUC (cell 5)"])):
        raw = notebook("12")
        markdown("## The question\n\nOur AUC.")(raw)
        title("nothing, 56 helps", needs)(raw)
        write(tree, stamp(raw), "12_toy_regression.ipynb")
        badges.renew(write=True)
        found = [f.what for f in findings(tree) if "introduced" in f.what]
        assert found == [f"used before it is introduced: {term}" for term in early]


def test_the_glossary_explains_its_terms_in_both_languages():
    entries = tomllib.loads((ROOT / "data/glossary.toml").read_text(encoding="utf-8"))
    assert len(entries) >= 80 and set(glossary.terms()) == set(entries)
    spellings = [word for name, entry in entries.items() for word in (name, *entry.get("also", []))]
    assert len(spellings) == len(set(spellings)), "a spelling belongs to one term"
    for entry in entries.values():
        assert entry["en"].endswith(".") and re.search(r"[\u4e00-\u9fff].*。$", entry["zh"])


def test_a_broken_glossary_is_one_sentence(tree):
    (tree / "data/glossary.toml").write_text('["AUC"]\nen = "A share."\n')
    with pytest.raises(CourseError, match=r"glossary\.toml cannot be read"):
        findings(tree)


def test_the_set_up_cell_names_the_packages_of_the_row(tree):
    raw = read(tree)
    title("| Time |", "| Packages | cvxpy, Quant_Lib |\n| Time |")(raw)
    code('session.start(needs=("cvxpy", "quant-lib"))')(raw)
    write(tree, stamp(raw))
    assert any("set-up cell differs" in f.what for f in findings(tree))
    badges.renew(write=True)
    assert 'colab.py", "cvxpy", "quant-lib"], check=True' in "".join(read(tree)["cells"][1]["source"])
    assert findings(tree) == []


def test_map_and_times_of_the_readme_are_the_notebooks(tree):
    raw = read(tree)
    raw["metadata"]["course"]["stamp"] |= {"seconds": 12.4, "peak_mb": 1234}
    write(tree, raw)
    (found,) = findings(tree)
    assert "map, times" in found.what and found.where == "README.md"
    assert CliRunner().invoke(course, ["badges"]).exit_code == 0
    text = (tree / "README.md").read_text(encoding="utf-8")
    assert "[11 Toy regression](notebooks/11_toy_regression.ipynb) |" in text
    assert "| 11 · Toy regression | 12 | 1,234 |\n| all, one after another | 12 | 1,234 |" in text
    assert findings(tree) == []


def test_a_stale_card_is_a_warning(tree):
    (tree / "results").mkdir()
    (tree / "results/11.json").write_text('{"code_sha256": "old"}')
    (finding,) = findings(tree)
    assert "older code" in finding.what
    assert not finding.error
    (notebook,) = select(["11"])
    (tree / "results/11.json").write_text(json.dumps({"code_sha256": "old", "work_sha256": notebook.work_sha256}))
    assert findings(tree) == []


def test_badges_rewrite_and_back(tree):
    before = {path: path.read_bytes() for path in [*tree.rglob("*.ipynb"), tree / "README.md", tree / "pyproject.toml"]}
    runner = CliRunner()
    assert runner.invoke(course, ["badges", "--check"]).exit_code == 0
    result = runner.invoke(course, ["badges", "--repository", "eva/fork.2", "--branch", "dev/1"])
    assert result.exit_code == 0, result.output
    content = (tree / "notebooks/11_toy_regression.ipynb").read_text()
    assert "github/eva/fork.2/blob/dev/1/notebooks/11_toy_regression.ipynb" in content
    assert "gh/eva/fork.2/dev%2F1?urlpath=lab%2Ftree%2Fnotebooks%2F11_toy_regression.ipynb" in content
    assert "github.com/eva/fork.2" in "".join(read(tree)["cells"][1]["source"])
    assert "ada/course" not in content + (tree / "README.md").read_text() + (tree / "pyproject.toml").read_text()
    assert findings(tree) == []  # the stamp is still valid
    assert runner.invoke(course, ["badges", "--repository", "ada/course", "--branch", "main"]).exit_code == 0
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    "remote", ["https://github.com/eva/fork.2.git", "git@github.com:eva/fork.2.git", "ssh://git@github.com/eva/fork.2"]
)
def test_badges_take_the_address_of_the_clones_own_remote(tree, remote):
    for command in (["init", "-q"], ["remote", "add", "origin", remote]):
        subprocess.run(["git", "-C", tree, *command], check=True)
    assert CliRunner().invoke(course, ["badges", "--check"]).exit_code == 0  # it compares with pyproject.toml alone
    assert CliRunner().invoke(course, ["badges"]).exit_code == 0
    assert 'repository = "eva/fork.2"' in (tree / "pyproject.toml").read_text()
    assert "github/eva/fork.2/blob" in (tree / "notebooks/11_toy_regression.ipynb").read_text()


def test_without_an_address_nothing_points_at_a_stranger(tree):
    path = tree / "pyproject.toml"
    path.write_text(path.read_text().replace("ada/course", ""))
    subprocess.run(["git", "-C", tree, "init", "-q"], check=True)
    subprocess.run(["git", "-C", tree, "remote", "add", "origin", "https://example.org/ada/course"], check=True)
    assert CliRunner().invoke(course, ["badges"]).exit_code == 0
    for place in ("notebooks/11_toy_regression.ipynb", "README.md"):
        content = (tree / place).read_text()
        assert "github.com/" not in content.replace("github.com/OWNER/NAME", "") and "no public address yet" in content
    assert findings(tree) == []


def test_badges_check_finds_another_address(tree):
    path = tree / "pyproject.toml"
    path.write_text(path.read_text().replace("ada/course", "eva/course"))
    result = CliRunner().invoke(course, ["badges", "--check"])
    assert isinstance(result.exception, CourseError)
    assert "differs notebooks/11_toy_regression.ipynb" in result.output
    assert "differs README.md" in result.output


def test_a_workflow_in_another_repository_fails(tree):
    runner = CliRunner()
    assert runner.invoke(course, ["badges", "--check", "--expect", "ada/course"]).exit_code == 0
    result = runner.invoke(course, ["badges", "--check", "--expect", "eva/fork"])
    assert isinstance(result.exception, CourseError) and "names ada/course, this is eva/fork" in str(result.exception)


def git(folder, *words):
    who = ["-c", "user.name=Reader", "-c", "user.email=reader@localhost"]
    return subprocess.run(
        ["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_set_up_cells_pin_the_commit_whose_helpers_they_need(tree):
    path, runner = tree / "pyproject.toml", CliRunner()
    path.write_text(path.read_text().replace('branch = "main"\n', 'branch = "main"\ncommit = ""\n'))
    (tree / "helpers").mkdir()
    (tree / "helpers/tool.py").write_text("one = 1\n")
    (tree / ".gitignore").write_text("build\n")

    def commit():
        git(tree, "add", "-A")
        git(tree, "commit", "-q", "-m", "A step")
        return git(tree, "rev-parse", "HEAD")

    git(tree, "init", "-q")
    first = commit()
    assert [f.what for f in findings(tree)] == ["the set-up cells pin no commit"]
    assert runner.invoke(course, ["badges"]).exit_code == 0
    assert f'"{first}"' in "".join(read(tree)["cells"][1]["source"]) and findings(tree) == []
    commit()  # the pin itself, and words, need no new one
    assert runner.invoke(course, ["badges"]).exit_code == 0 and f'commit = "{first}"' in path.read_text()
    (tree / "helpers/tool.py").write_text("one = 2\n")
    result = runner.invoke(course, ["badges"])
    assert isinstance(result.exception, CourseError) and "commit them" in str(result.exception)
    third = commit()
    assert [f"have changed since the pinned commit {first[:9]}" in f.what for f in findings(tree)] == [True]
    result = runner.invoke(course, ["badges", "--check"])
    assert isinstance(result.exception, CourseError) and "type `course badges`" in str(result.exception)
    assert runner.invoke(course, ["badges"]).exit_code == 0 and f'commit = "{third}"' in path.read_text()
    assert runner.invoke(course, ["badges", "--check"]).exit_code == 0 and findings(tree) == []
    path.write_text(path.read_text().replace(third, "f" * 40))
    assert "is no commit of this clone" in " ".join(f.what for f in findings(tree))


@pytest.mark.parametrize("address", ["course", "a/b/c", "a b/c", "https://github.com/a/b", 'a/b"; x', "-a/b", ""])
def test_a_bad_address_changes_nothing(tree, address):
    before = (tree / "pyproject.toml").read_bytes()
    result = CliRunner().invoke(course, ["badges", "--repository", address])
    assert isinstance(result.exception, CourseError)
    assert (tree / "pyproject.toml").read_bytes() == before


def test_the_title_table_is_read(tree):
    (nb,) = select()
    assert (nb.number, nb.slug, nb.title) == ("11", "toy_regression", "Toy regression")
    assert nb.part == "The mathematics, from scratch and checked"
    assert (nb.time, nb.needs, nb.data, nb.learn) == ("about 2 s (quick)", ["56"], ["toy_set"], "read, run, check")


def test_hashes_see_code_and_outputs_only(tree):
    raw = read(tree)
    other = deepcopy(raw)
    other["cells"][5]["execution_count"] = 99
    other["cells"][5]["metadata"]["tags"] = ["x"]
    other["cells"][1]["source"] = "set-up of another address"
    other["cells"][5]["outputs"][0]["text"] = ["7", "\n"]
    assert code_hash(other) == code_hash(raw)
    assert outputs_hash(other) == outputs_hash(raw)


def test_an_unreadable_notebook_is_one_sentence(tree):
    path = tree / "notebooks/11_toy_regression.ipynb"
    path.write_text("{")
    with pytest.raises(CourseError, match="cannot be read as a notebook"):
        Notebook.read(path)


def test_list_tells_what_there_is(tree):
    (row,) = json.loads(CliRunner().invoke(course, ["list", "--json"]).output)
    assert (row["number"], row["data"], row["run"]) == ("11", ["toy_set"], {})
    assert row["stamp"]["fresh"] is True
    assert "Toy regression" in CliRunner().invoke(course, ["list"]).output


def test_unknown_numbers_name_close_ones(tree):
    result = CliRunner().invoke(course, ["check", "12"])
    assert "Close to it: 11_toy_regression" in str(result.exception)


def test_the_starts_table_shows_every_notebook_as_it_is(tmp_path):
    start = Notebook.read(ROOT / "notebooks" / badges.START)
    assert not list(hygiene._shelf(start))
    old = deepcopy(start.raw)
    for made in (made for c in old["cells"] for made in c.get("outputs", [])):
        if rows := made.get("data", {}).get("text/markdown"):
            made["data"]["text/markdown"] = [
                row.replace(select(["10"])[0].time.split(";")[0], "an hour") for row in rows
            ]
    (tmp_path / badges.START).write_text(dumps(old))
    found = list(hygiene._shelf(Notebook.read(tmp_path / badges.START)))
    assert any("does not show 10" in what for _, what, _ in found), found
    assert all(mend == "type `course refresh 00`" for *_, mend in found)
