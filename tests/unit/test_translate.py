"""The Chinese edition: on a toy course what is shown, kept and refused; then the catalogues that are there."""

import itertools
import json
import re

import pytest
from click.testing import CliRunner

from helpers.course import hygiene, site, translate
from helpers.course.cli import course
from helpers.errors import CourseError
from helpers.notebooks import dumps, select, text

ROOT = select()[0].path.parents[1]
BEGUN = sorted(path.stem for path in (ROOT / "translations/zh").glob("*.po"))
COUNT = itertools.count()
NAME = "11_toy_regression.ipynb"
ALT = "A line that rises from 1 to 2."
FOLD = f"<details><summary>This figure in words</summary>{ALT}</details>"
BODY = """## The data

With $x_i > 0$ the **mean** is
`x.mean()`, of 20 rows
and two columns.

$$\\bar x = \\tfrac1n \\sum_i x_i$$

- One item, see [10](10_other.ipynb#the-data).
- Another, see `data/cards/toy.md`.

```python
print("left alone")
```

| name | meaning |
|---|---|
| $n$ | number of rows |

## References

- Ada, L. (1843). Notes. *Taylor's Scientific Memoirs* 3.
"""
SAID = "当 $x_i > 0$ 时，**均值**为 `x.mean()`，取自 20 行两列。"
CHINESE = {
    "11 · Toy regression": "11 · 玩具回归",
    "The data": "数据",
    "With $x_i > 0$ the **mean** is `x.mean()`, of 20 rows and two columns.": SAID,
    "One item, see [10](10_other.ipynb#the-data).": "一项，见 [10](10_other.ipynb#the-data)。",
    "| $n$ | number of rows |": "| $n$ | 行数 |",
    "Above half": "过半",
    ALT: "一条从 1 升到 2 的线。",
}


def cell(source, *tags, outputs=None):
    made = {"cell_type": "markdown", "id": f"c{next(COUNT)}", "metadata": {"tags": list(tags)}, "source": source}
    return made if outputs is None else {**made, "cell_type": "code", "execution_count": 1, "outputs": outputs}


def notebook(body=BODY):
    shown = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo=", "text/plain": f"Figure: {ALT}"}}
    shown["metadata"] = {"image/png": {"alt": ALT}}
    fold = {"output_type": "display_data", "metadata": {}, "data": {"text/html": FOLD, "text/plain": ""}}
    said = {"output_type": "stream", "name": "stdout", "text": "✓ Above half: between 0.500 and 0.700\nseen 3\n"}
    title = "# 11 · Toy regression\n\n<!-- badges -->\n<!-- /badges -->\n\nA promise.\n\n| | |\n|---|---|\n"
    title += "| Time | 1 s |\n| Needs | [10](10_other.ipynb) |\n| Data | toy |\n| You will be able to | fit |"
    cells = [cell(title, "title"), cell(body), cell("plot()", outputs=[shown, fold])]
    cells += [cell("claim()", "claims", outputs=[said])]
    return {"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {"course": {"stamp": {}}}}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    files = {
        "pyproject.toml": '[tool.course]\nrepository = "ada/course"\nbranch = "main"\n',
        "README.md": "# Course\n\nWords.\n\n<!-- map -->\n| part | what it covers | notebooks that are ready |\n"
        "|---|---|---|\n| 1 · Markets | prices | [11 Toy regression](notebooks/11_toy_regression.ipynb) |\n"
        "<!-- /map -->\n\n```\nmake run  # runs all\n```\n",
        f"notebooks/{NAME}": dumps(notebook()),
        "notebooks/10_other.ipynb": dumps({**notebook(), "cells": [cell("# 10 · Other\n\n## The data", "title")]}),
        "data/cards/toy.md": "",
        "data/glossary.toml": '["mean"]\nen = "A sum over a count."\nzh = "和除以个数。"\n',
        "site/conf.py": "",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.setenv("COURSE_ROOT", str(tmp_path))
    return tmp_path


def run(*words):
    result = CliRunner().invoke(course, ["translate", *words])
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.output


def fill(name, said):
    """What a translator does: type between the quotes."""
    path = translate.place(name)
    content = path.read_text(encoding="utf-8")
    for english, chinese in said.items():
        empty = f'msgid "{english}"\nmsgstr ""\n'
        assert empty in content, english
        content = content.replace(empty, f'msgid "{english}"\nmsgstr "{chinese}"\n')
    path.write_text(content, encoding="utf-8")


@pytest.fixture
def begun(tree):
    run("11", "course")
    fill("11", CHINESE)
    fill("course", {"This figure in words": "图的文字说明", "{}: between {} and {}": "{}：介于 {} 与 {} 之间"})
    return tree


def change(tree, old, new):
    (tree / "notebooks" / NAME).write_text(dumps(notebook(BODY.replace(old, new))), encoding="utf-8")


def chinese(tree, number="11"):
    return translate.translated(select([number])[0]).raw["cells"]


def test_prose_is_said_in_chinese_and_what_is_not_prose_is_copied(begun):
    shown = text(chinese(begun)[1]["source"])
    assert "当 $x_i > 0$ 时，**均值**为 `x.mean()`，取自 20 行两列。\n\n$$\\bar x = \\tfrac1n \\sum_i x_i$$\n" in shown
    assert '```python\nprint("left alone")\n```' in shown and "| $n$ | 行数 |" in shown
    assert "- 一项，见 [10](10_other.ipynb#the-data)。\n- Another, see" in shown  # the second is not translated yet
    assert shown.endswith("- Ada, L. (1843). Notes. *Taylor's Scientific Memoirs* 3.\n")


def test_claims_and_figures_are_said_from_the_same_outputs(begun):
    figure, fold = chinese(begun)[2]["outputs"]
    assert figure["metadata"]["image/png"]["alt"] == "一条从 1 升到 2 的线。"
    assert fold["data"]["text/html"] == "<details><summary>图的文字说明</summary>一条从 1 升到 2 的线。</details>"
    assert text(chinese(begun)[3]["outputs"][0]["text"]) == "✓ 过半：介于 0.500 与 0.700 之间\nseen 3\n"
    source = select(["11"])[0]
    assert translate.translated(source).code_sha256 == source.code_sha256


def test_the_title_table_keeps_its_english_names_for_code(begun):
    fill(
        "11",
        {"| Time | 1 s |": "| 用时 | 1 秒 |", "| Needs | [10](10_other.ipynb) |": "| 先修 | [10](10_other.ipynb) |"},
    )
    made = translate.translated(select(["11"])[0])
    assert (made.title, made.time, made.needs, made.data) == ("玩具回归", "1 秒", ["10"], ["toy"])


def test_a_changed_sentence_is_english_again_and_the_rest_stays(begun):
    change(begun, "of 20 rows", "of 30 rows")
    shown = text(chinese(begun)[1]["source"])
    assert "`x.mean()`, of 30 rows" in shown and "当 $x_i" not in shown and "| $n$ | 行数 |" in shown


def test_no_text_of_a_translator_is_lost(begun):
    change(begun, "of 20 rows", "of 30 rows")
    run()
    content = translate.place("11").read_text(encoding="utf-8")
    assert re.search(
        r'#, fuzzy\n#\| msgid "With .*20 rows.*\n#\| col.*"\nmsgid "With .*30 rows.*"\nmsgstr "当 ', content
    )
    assert '#~ msgstr "当 $x_i > 0$ 时' in content
    run()
    assert translate.place("11").read_text(encoding="utf-8") == content  # once more changes nothing
    assert "of 30 rows" in text(chinese(begun)[1]["source"])  # fuzzy: the English is shown
    change(begun, "", "")
    run()
    assert "取自 20 行两列" in text(chinese(begun)[1]["source"])  # the sentence is back, and so is its text


def test_comments_and_head_of_a_catalogue_stay(begun):
    path = translate.place("11")
    content = path.read_text(encoding="utf-8").replace('"Language: zh_Hans\\n"', '"Last-Translator: Ada\\n"')
    path.write_text(
        content.replace('#. heading\nmsgid "The data"', '# as in 20\n#. heading\nmsgid "The data"'), "utf-8"
    )
    change(begun, "number of rows", "count")
    run()
    content = path.read_text(encoding="utf-8")
    assert "Last-Translator: Ada" in content and '# as in 20\n#. heading\nmsgid "The data"\nmsgstr "数据"' in content


def test_a_new_catalogue_borrows_what_others_have_said(begun):
    run("10")
    assert 'msgid "The data"\nmsgstr "数据"' in translate.place("10").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "said, what",
    [
        ("当 $x_i > 1$ 时，**均值**为 `x.mean()`，取自 20 行两列。", "formulas"),
        ("当 $x_i > 0$ 时，**均值**为 `y.mean()`，取自 20 行两列。", "code"),
        ("当 $x_i > 0$ 时，**均值**为 `x.mean()`，取自 30 行两列。", "numbers"),
        ("当 $x_i > 0$ 时，**均值。**为 `x.mean()`，取自 20 行两列。", "emphasis"),
    ],
)
def test_a_translation_that_says_something_else_is_not_shown(begun, said, what):
    english = next(words for words in CHINESE if words.startswith("With"))
    path = translate.place("11")
    path.write_text(path.read_text(encoding="utf-8").replace(CHINESE[english], said), encoding="utf-8")
    assert "With $x_i > 0$" in text(chinese(begun)[1]["source"])
    assert what in run()
    (found,) = [f for f in hygiene.check(select(["11"]), everything=False) if f.where.startswith("translations")]
    assert what in found.what and not found.error


@pytest.mark.parametrize(
    "english, said, good",
    [
        ("See [20](20_x.ipynb).", "见 [20](21_x.ipynb)。", False),
        ("in May 2009 and 2.5 million", "2009 年 5 月，250 万", True),
        ("in 2009", "2009 年 5 月", False),
        ("1,800 words", "1800 个词", True),
        ("| a | b |", "| 甲乙 |", False),
        ("**A**, then *b*", "*甲*，然后**乙**", True),
    ],
)
def test_what_a_translation_must_carry(english, said, good):
    assert (not translate.faults(english, said)) == good


def test_links_lead_on_from_the_folder_of_the_copies(begun):
    assert "wrote" in run("10")
    fill("10", {"10 · Other": "10 · 另一本"})
    run()
    cells = json.loads((begun / "build/zh" / NAME).read_text(encoding="utf-8"))["cells"]
    assert "(10_other.ipynb#数据)" in text(cells[1]["source"])  # it lies beside, and its heading is Chinese
    translate.place("10").unlink()
    (begun / "build/zh/10_other.ipynb").unlink()
    run()
    cells = json.loads((begun / "build/zh" / NAME).read_text(encoding="utf-8"))["cells"]
    assert "(../../notebooks/10_other.ipynb#the-data)" in text(cells[1]["source"])


def test_what_a_reader_typed_is_not_written_over(begun):
    run()
    path = begun / "build/zh" / NAME
    path.write_text(path.read_text(encoding="utf-8").replace("plot()", "plot(2)"), encoding="utf-8")
    assert "somebody's work" in run() and "plot(2)" in path.read_text(encoding="utf-8")


def test_a_catalogue_that_cannot_be_read_whole_is_not_touched(begun):
    path = translate.place("11")
    for fault in ('msgid "no end', 'msgid "The data"\nmsgstr "资料"\n'):
        before = path.read_text(encoding="utf-8")
        path.write_text(f"{before}\n{fault}", encoding="utf-8")
        result = CliRunner().invoke(course, ["translate"])
        assert isinstance(result.exception, CourseError) and "11.po" in str(result.exception)
        assert path.read_text(encoding="utf-8") == f"{before}\n{fault}"
        path.write_text(before, encoding="utf-8")


def test_the_readme_follows_the_english_one(begun):
    run("README")
    assert (begun / "README.zh.md").read_text(encoding="utf-8") == (begun / "README.md").read_text(encoding="utf-8")
    fill("README", {"Words.": "几句话。"})
    fill("course", {"Markets": "市场", "Toy regression": "玩具回归"})
    assert any(f.where == "README.zh.md" for f in hygiene.check(select()))
    run()
    page = (begun / "README.zh.md").read_text(encoding="utf-8")
    assert "几句话。" in page and "| 1 · 市场 | prices | [11 玩具回归](notebooks/11_toy_regression.ipynb) |" in page
    assert not any(f.where == "README.zh.md" for f in hygiene.check(select()))


def test_notebooks_without_a_catalogue_are_a_note(begun):
    found = [finding for finding in hygiene.check(select(["10", "11"]), everything=False) if "zh" in finding.where]
    assert [finding.where for finding in found] == ["translations/zh/11.po", "translations/zh"]
    assert "not in Chinese yet: 10" in found[1].what and not any(finding.error for finding in found)


def test_the_chinese_site_is_made_from_the_same_outputs(begun):
    (begun / "notebooks/10_other.ipynb").unlink()
    fill("course", {"Known limits": "已知的局限", "Glossary": "术语表"})
    site.build_sources(begun / "zh", chinese=True)
    page = json.loads((begun / f"zh/notebooks/{NAME}").read_text(encoding="utf-8"))
    assert [c["metadata"]["mystnb"]["image"]["alt"] for c in page["cells"] if "mystnb" in c["metadata"]] == [
        CHINESE[ALT]
    ]
    assert "- [过半：介于 0.500 与 0.700 之间](#claims-11-4)" in (begun / "zh/findings.md").read_text(encoding="utf-8")
    assert (begun / "zh/limits.md").read_text(encoding="utf-8").startswith("# 已知的局限\n")
    assert "mean\n  和除以个数。" in (begun / "zh/glossary.md").read_text(encoding="utf-8")
    assert 'href="../index.html"' in (begun / "zh/index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("notebook", select(), ids=lambda notebook: notebook.number)
def test_a_notebook_is_cut_into_messages_without_loss(notebook):
    for one in notebook.cells:
        if one["cell_type"] == "markdown":
            source = text(one["source"])
            assert "".join(piece[0] for piece in translate.pieces(source)) == source
            assert translate.render(source, str) == source


@pytest.mark.parametrize("name", BEGUN)
def test_every_text_of_the_catalogues_says_what_the_english_says(name):
    catalogue = translate.read(name)
    wrong = {m.id: why for m in catalogue if m.id and m.string and (why := translate.faults(m.id, m.string))}
    assert not wrong
