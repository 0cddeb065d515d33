"""The page for teachers: its generated parts, and that its syllabuses can be followed in their order."""

import re

from helpers.course import badges
from helpers.notebooks import root, select

PAGE = (root() / "TEACHING.md").read_text(encoding="utf-8")


def test_graph_and_minutes_are_those_of_the_notebooks():
    assert badges.renewed_teaching(PAGE) == PAGE
    for notebook in select():
        assert f'n{notebook.number}["' in PAGE
        assert f"| {notebook.label} |" in PAGE


def test_an_arrow_is_left_out_where_a_chain_says_it():
    needs = badges._needs(select())
    assert needs["12"] == ["11"]  # its row names 00 as well, on which 11 rests
    assert "13" in needs["15"]


def test_no_syllabus_puts_a_notebook_before_what_it_needs():
    named = {nb.number: set(re.findall(r"\[(\d\d)\]", nb.table.get("needs", ""))) for nb in select()}
    titles = {nb.number for nb in select()}
    found = re.findall(r"^## (Six|Twelve) weeks.*?\n(.*?)(?=^## )", PAGE, re.M | re.S)
    assert [name for name, _ in found] == ["Six", "Twelve"]
    for name, part in found:
        order = re.findall(r"\b(\d\d) [A-Z]", "\n".join(row for row in part.splitlines() if row.startswith("| ")))
        assert set(order) <= titles
        assert len(order) == len(set(order))
        for place, number in enumerate(order):
            late = named[number] & set(order[place:])
            assert not late, f"{name} weeks: {number} comes before {late}"


def test_each_seminar_of_the_second_term_can_be_followed_in_its_order():
    (part,) = re.findall(r"^## A second term.*?\n(.*?)(?=^In a session|^## )", PAGE, re.M | re.S)
    rows = [re.findall(r"\b(\d\d) [A-Z]", row) for row in part.splitlines() if re.match(r"\| \d", row)]
    named = {nb.number: set(re.findall(r"\[(\d\d)\]", nb.table.get("needs", ""))) for nb in select()}
    assert len(rows) == 8 and {len(row) for row in rows} == {3}
    for column in zip(*rows, strict=True):
        assert set(column) <= set(named)
        for place, number in enumerate(column):
            assert not named[number] & set(column[place:]), f"{number} comes too early"
