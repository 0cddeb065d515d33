"""The form of the advisor: answers in, sentences out, and a word about each answer that will not do."""

import json
import sys

import pytest

from helpers import app
from helpers.errors import CourseError

FIELDS = {name: first for name, (_, first) in app.NUMBERS.items()} | {"refused": "1/2", "knowledge": "some"}


def test_texts_become_numbers_and_choices_stay():
    found = app.answers(FIELDS | {"wealth": " 60,000 "})
    assert found["wealth"] == 60_000 and found["years"] == 15 and found["refused"] == "1/2"


@pytest.mark.parametrize("text", ["", "much", "1e", "12 000", "2,5", "1,00,000", "nan", "inf", "1e400"])
def test_what_is_no_number_is_named(text):
    with pytest.raises(CourseError, match="What you save a year is"):
        app.answers(FIELDS | {"saving": text})


def widgets_of(form, kind):
    return [child for child in form.children if type(child).__name__ == kind]


def test_the_form_shows_advice_and_errors_as_text():
    pytest.importorskip("ipywidgets")
    asked = []

    def advise(client):
        asked.append(client)
        if client["years"] > 20:
            raise CourseError("years until then <40>: too far")
        return ["Hold shares & bonds."]

    form = app.form(advise)
    [button], text = widgets_of(form, "Button"), widgets_of(form, "HTML")[-1]
    button.click()
    assert asked[0]["goal"] == 250_000 and "<li>Hold shares &amp; bonds.</li>" in text.value
    [years] = [box for box in widgets_of(form, "Text") if box.description.startswith("Years")]
    years.value = "40"
    button.click()
    assert "course-error" in text.value and "&lt;40&gt;" in text.value and "course-advice" not in text.value


def test_without_ipywidgets_the_form_says_what_to_install(monkeypatch):
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match=r"\[lab\]"):
        app.form(list)
    with pytest.raises(CourseError, match=r"\[app\]"):
        app.main([])


def test_the_page_is_a_notebook_of_one_cell(tmp_path, monkeypatch):
    page = app.write_page(tmp_path / "app/page.ipynb")
    [cell] = json.loads(page.read_text(encoding="utf-8"))["cells"]
    assert "app.show(" in "".join(cell["source"])
    started = []
    monkeypatch.setattr(app, "PAGE", page)
    monkeypatch.setattr(app, "write_page", lambda: page)
    monkeypatch.setattr(app.os, "execv", lambda path, command: started.append(command))
    for known, module in (({"voila", "jupyterlab"}, "voila"), ({"jupyterlab"}, "jupyterlab")):
        monkeypatch.setattr(app, "find_spec", lambda name, known=known: name in known or None)
        app.main(["--port=0"])
        assert started[-1] == [sys.executable, "-m", module, str(page), "--port=0"]
