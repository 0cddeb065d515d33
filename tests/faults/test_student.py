"""`course student` as a careless reader uses it: twice, into odd places, over their own work."""

import json

import pytest
from click.testing import CliRunner

from helpers.course.cli import course
from helpers.notebooks import Notebook

NAME = "11_toy_regression.ipynb"


def cell(kind, source, *tags, **metadata):
    made = {"cell_type": kind, "id": f"c{abs(hash(source)):x}"[:12], "metadata": metadata, "source": source}
    if tags:
        made["metadata"]["tags"] = list(tags)
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    cells = [
        cell("markdown", "# 11 · Toy regression", "title"),
        cell("markdown", "### 1 · Turn a knob"),
        cell("code", "answer = 1", "solution"),
        cell("code", "assert answer == 1", "check", course={"wrong": ["answer = 0", "answer = 2"]}),
    ]
    raw = {"cells": cells, "metadata": {"course": {"controls": {"dead": "1"}}}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "notebooks" / NAME).write_text(json.dumps(raw), encoding="utf-8")
    return tmp_path


def student(*arguments):
    done = CliRunner().invoke(course, ["student", *map(str, arguments)])
    return done.exit_code, done.output + str(done.exception or "")


def type_into(path, words="answer = 1  # mine"):
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["cells"][2]["source"] = words
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path.read_bytes()


def test_a_copy_has_no_answers_and_the_notebook_keeps_them(tree):
    code, said = student()
    assert (code, said) == (0, f"wrote my_notebooks/{NAME}\n")
    copy = (tree / "my_notebooks" / NAME).read_text(encoding="utf-8")
    assert "# Your answer here." in copy
    assert "assert answer == 1" in copy
    assert not [given for given in ('answer = 1"', "answer = 0", "answer = 2", "dead") if given in copy]
    assert "answer = 1" in (tree / "notebooks" / NAME).read_text(encoding="utf-8")


def test_what_a_reader_typed_is_kept_and_a_fresh_copy_is_renewed(tree):
    student()
    path = tree / "my_notebooks" / NAME
    assert student()[1].startswith("wrote")  # nobody has typed: the copy may be renewed
    mine = type_into(path)
    code, said = student()
    assert code == 0
    assert "it holds somebody's work" in said
    assert path.read_bytes() == mine
    path.rename(path.with_name("mine.ipynb"))
    assert student()[1].startswith("wrote")
    assert path.with_name("mine.ipynb").read_bytes() == mine


def test_running_a_copy_is_not_typing(tree):
    student()
    path = tree / "my_notebooks" / NAME
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["cells"][3] |= {"execution_count": 4, "outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}]}
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert student()[1].startswith("wrote")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cells": 3}', b"\xff\xfe", b'{"cells": [], "nbformat": 4}'])
def test_a_file_that_is_no_copy_is_kept_whatever_it_is(tree, content):
    (tree / "answers").mkdir()
    path = tree / "answers" / NAME
    path.write_bytes(content)
    assert "kept" in student("--out", tree / "answers")[1]
    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_a_copy_is_kept(tree):
    (tree / "my_notebooks" / NAME).mkdir(parents=True)
    assert "kept" in student()[1]


@pytest.mark.parametrize("how", ["itself", "through a link", "through a link in the notebooks' place"])
def test_the_folder_of_the_notebooks_is_never_written(tree, how):
    source = tree / "notebooks" / NAME
    out = tree / "notebooks"
    if how == "through a link":
        out = tree / "link"
        out.symlink_to(tree / "notebooks")
    elif how != "itself":
        (tree / "notebooks").rename(tree / "elsewhere")
        (tree / "notebooks").symlink_to(tree / "elsewhere")
        out = tree / "elsewhere"
    before = source.read_bytes()
    code, said = student("--out", out)
    assert code == 1
    assert "the folder of the notebooks themselves" in said
    assert source.read_bytes() == before
    assert Notebook.read(source)


def test_a_link_to_somebodys_file_is_kept(tree):
    (tree / "my_notebooks").mkdir()
    link = tree / "my_notebooks" / NAME
    link.symlink_to(tree / "notebooks" / NAME)
    before = (tree / "notebooks" / NAME).read_bytes()
    assert "kept" in student()[1]
    assert link.is_symlink()
    assert (tree / "notebooks" / NAME).read_bytes() == before
    link.unlink()
    link.symlink_to(tree / "nowhere")
    assert "kept" in student()[1]
