"""The site's sources, made on a toy course; tests/site/ opens the pages themselves."""

import json
import re

import pytest

from helpers.course import site
from helpers.errors import CourseError
from helpers.notebooks import dumps

NAME = "11_toy_regression.ipynb"
PICTURE = {"image/png": "iVBORw0KGgo="}
GLOSSARY = '["AUC"]\nen = "A probability."\nzh = "概率。"\n'


def cell(source, *tags, outputs=None):
    made = {"cell_type": "markdown", "id": source[:4].strip("#( "), "metadata": {"tags": list(tags)}, "source": source}
    return made if outputs is None else {**made, "cell_type": "code", "execution_count": 1, "outputs": outputs}


def notebook():
    shown = {"output_type": "display_data", "data": PICTURE, "metadata": {"image/png": {"alt": "A line that rises."}}}
    claims = {"output_type": "stream", "name": "stdout", "text": "✓ a_b is above *two*\n✗ not this\n"}
    cells = [
        cell("# 11 · Toy regression\n\n<!-- badges -->\n![x](colab-badge.svg)\n<!-- /badges -->\n", "title"),
        cell("## The data\n\nThe **AUC**."),
        cell("plot()", outputs=[shown]),
        cell("claim()", "claims", outputs=[claims]),
        cell("## Scope of these numbers\n\nSmall, see [56](56_quantum.ipynb)."),
    ]
    return {"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    root = tmp_path / "course"
    files = {
        "site/conf.py": "",
        "data/glossary.toml": GLOSSARY,
        "pyproject.toml": '[tool.course]\nrepository = "ada/course"\nbranch = "main"\n',
        "README.md": "# Course\n\nWords.\n\n## More\n",
        f"notebooks/{NAME}": dumps(notebook()),
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    monkeypatch.setenv("COURSE_ROOT", str(root))
    return root


@pytest.fixture
def made(tree, tmp_path):
    site.build_sources(tmp_path / "out")
    return tmp_path / "out"


def test_every_claim_leads_to_the_cell_that_checks_it(made):
    link = re.search(r"- \[a\\_b is above \\\*two\\\*\]\(#(claims-11-\d+)\)", (made / "findings.md").read_text())
    cells = json.loads((made / f"notebooks/{NAME}").read_text())["cells"]
    target = next(i for i, c in enumerate(cells) if "".join(c["source"]) == f"({link[1]})=")
    assert "claims" in cells[target + 1]["metadata"]["tags"]
    assert "not this" not in (made / "findings.md").read_text()


def test_a_page_carries_the_alt_text_of_its_figures_and_no_badges(made):
    cells = json.loads((made / f"notebooks/{NAME}").read_text())["cells"]
    alts = [c["metadata"]["mystnb"]["image"]["alt"] for c in cells if "mystnb" in c["metadata"]]
    assert alts and all(alts)
    title = "".join(cells[0]["source"])
    assert "course-button" in title and "colab-badge.svg" not in title


def test_what_the_download_gives_is_the_notebook_itself(made, tree):
    assert (made / "_static/notebooks" / NAME).read_bytes() == (tree / "notebooks" / NAME).read_bytes()


def test_the_limits_are_the_notebooks_own(made):
    assert "Small, see 56." in (made / "limits.md").read_text()


def test_links_to_notebooks_that_are_not_there_become_words(made):
    assert "see 56." in (made / "limits.md").read_text()


def test_a_folder_of_the_reader_is_not_written_into(tree, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(CourseError, match="did not write"):
        site.build_sources(tmp_path / "mine")
    assert (tmp_path / "mine/notes.txt").read_text() == "mine"


def test_the_glossary_links_both_ways(made):
    assert "Introduced in [11 · Toy regression]" in (made / "glossary.md").read_text()
    assert "{term}`AUC`" in (made / f"notebooks/{NAME}").read_text()


def test_a_notebook_without_outputs_is_named(tree):
    raw = notebook()
    raw["cells"] = [one for one in raw["cells"] if one["cell_type"] == "markdown"]
    (tree / "notebooks" / NAME).write_text(dumps(raw), encoding="utf-8")
    with pytest.raises(CourseError, match="course refresh 11"):
        site.page(site.select()[0], [])
