"""Slides keep what the notebook says, cut where a person would cut."""

import re

import pytest

from helpers.course import slides
from helpers.notebooks import select, tags, text

TEXT = """## A bond

It pays a coupon. With $v$,

$$P = c v + v^2$$

where $v$ discounts; that is all.

**Predict.** Does the price rise?

- one
- two
"""


def test_a_formula_stays_with_its_sentence_and_a_prediction_stands_alone():
    (first, bond), (second, guess) = slides.chunks(TEXT)
    assert (first, second) == ("slide", "subslide")
    assert bond.startswith("## A bond")
    assert bond.endswith("that is all.")
    assert guess.startswith("**Predict.**")


def test_a_long_list_is_cut_between_its_items():
    source = "### Long\n\n" + "\n".join(f"- item {n} " + "word " * 40 for n in range(6))
    made = slides.chunks(source)
    assert len(made) > 2
    assert sum(words.count("- item") for _, words in made) == 6


@pytest.mark.parametrize("notebook", select(), ids=lambda notebook: notebook.number)
def test_no_word_of_the_prose_is_lost(notebook):
    for cell in notebook.cells:
        if cell["cell_type"] == "markdown" and "title" not in tags(cell):
            source = text(cell["source"])
            joined = " ".join(words for _, words in slides.chunks(source))
            assert re.findall(r"\w+", joined) == re.findall(r"\w+", source)


def test_solutions_and_checks_are_not_shown_and_no_output_is_without_its_picture():
    for notebook in select(["11", "30"]):
        made = slides.deck(notebook)
        shown = [text(cell["source"]) for cell in made.cells]
        for cell in notebook.cells:
            if {"solution", "check"} & set(tags(cell)):
                assert text(cell["source"]) not in shown
        pictures = [o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        kept = [o for cell in made.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        assert kept
        assert len(kept) <= len(pictures)
        assert all(output.metadata["image/png"]["alt"] for output in kept)


def test_a_cell_of_ones_own_cut_goes_first():
    notebook = select(["11"])[0]
    place = next(n for n, c in enumerate(notebook.cells) if c["cell_type"] == "markdown" and "title" not in tags(c))
    before = len(slides.deck(notebook).cells)
    notebook.cells[place]["metadata"]["slideshow"] = {"slide_type": "skip"}
    assert len(slides.deck(notebook).cells) < before
