"""What a notebook or an old report says reaches terminal and page as words, never as commands or markup."""

import io
import json

import pytest
from rich.console import Console

from helpers.course import report

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LIVE = '"><script>alert(1)</script>'


def result(tmp_path, outputs=(), **fields):
    copy = tmp_path / "10_toy.ipynb"
    copy.write_text(json.dumps({"cells": [{"outputs": list(outputs)}]}), encoding="utf-8")
    made = {
        "number": "10", "notebook": copy.name, "title": "Toy", "status": "ok", "date": "2026-01-01", "seconds": 1.0,
        "first_output_seconds": 0.5, "peak_mb": 100, "claims": {"held": 1, "failed": 0, "skipped": 0}, "error": None,
        "claim_list": [{"text": "two is two", "status": "held"}], "origins": {}, "profile": "quick", "device": "CPU",
        "backend": "tensorflow", "output": str(copy),
    }  # fmt: skip
    return made | fields


def page(tmp_path, *results, **fields):
    whole = {"results": results, "date": "2026-01-01", "profile": "quick", "backend": "tensorflow", "seconds": 1.0}
    return report.write_html(whole | fields, tmp_path).read_text(encoding="utf-8")


def printed(*parts):
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=True, color_system=None)
    for part in parts:
        console.print(part)
    return out.getvalue()


def shows(mime, data):
    return {"output_type": "display_data", "data": {mime: data}, "metadata": {mime: {"alt": "A line rises"}}}


def test_an_image_is_shown_with_its_words(tmp_path):
    made = page(tmp_path, result(tmp_path, [shows("image/png", PIXEL[:40] + "\n" + PIXEL[40:])]))
    assert f'<img alt="A line rises" src="data:image/png;base64,{PIXEL}">' in made


@pytest.mark.parametrize("data", [LIVE, PIXEL[:-8] + LIVE, PIXEL.replace("A", '"', 1), "bm8gaW1hZ2U=", "", ["x", 3]])
@pytest.mark.parametrize("mime", ["image/png", "image/jpeg"])
def test_what_only_says_that_it_is_an_image_is_left_out(tmp_path, data, mime):
    made = page(tmp_path, result(tmp_path, [shows(mime, data), shows("image/png", PIXEL)]))
    assert "<script" not in made
    assert made.count("<img") <= 1


def test_an_svg_cannot_leave_its_image(tmp_path):
    made = page(tmp_path, result(tmp_path, [shows("image/svg+xml", f"<svg>{LIVE}</svg>")]))
    assert "<script" not in made
    assert made.count("<img") == 1


@pytest.mark.parametrize("field", ["number", "title", "status", "date", "profile", "backend", "device"])
def test_every_word_of_an_old_report_is_escaped(tmp_path, field):
    made = page(tmp_path, result(tmp_path, **{field: LIVE}))
    assert "<script" not in made
    assert "&lt;script&gt;" in made


@pytest.mark.parametrize("field", ["date", "profile", "backend"])
def test_the_head_of_the_page_is_escaped(tmp_path, field):
    assert "<script" not in page(tmp_path, result(tmp_path), **{field: LIVE})


def test_an_odd_status_of_a_claim_is_shown_as_unknown(tmp_path):
    made = page(tmp_path, result(tmp_path, claim_list=[{"text": LIVE, "status": LIVE}]))
    assert "<script" not in made
    assert ">?</span> &quot;&gt;&lt;script" in made


SEQUENCES = ["\x1b[31m", "\x1b]0;new title\x07", "\x1b]8;;file:///etc\x1b\\", "\x1bPq#0\x1b\\", "\x9b31m"]
SEQUENCES += ["\x9d0;t\x9c", "\r", "\b", "\u202e"]


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_no_control_sequence_reaches_the_terminal(tmp_path, sequence):
    bad = result(
        tmp_path,
        title=f"Toy{sequence} one",
        error={"cell": 1, "line": f"x{sequence}", "cause": f"Value{sequence}Error"},
    )
    console_text = printed(report.line(bad), report.table({"results": [bad]}))
    out = io.StringIO()
    report.print_errors(Console(file=out, width=200), [bad])
    for text in (console_text, out.getvalue()):
        assert sequence not in text
        assert "title\x07" not in text
    assert "Toy one" in console_text
    assert "ValueError" in out.getvalue()


def test_square_brackets_of_a_title_are_kept(tmp_path):
    title = "Prices [levels] and [/] returns [bold]"
    made = result(tmp_path, title=title, status="[odd]")
    text = printed(report.line(made), report.table({"results": [made]}))
    assert text.count(title) == 2
    assert "? [odd]" in text
