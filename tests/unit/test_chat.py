"""The chat: what a client types is shown as text, and the box keeps the state."""

import sys

import pytest

from helpers import chat
from helpers.errors import CourseError


def test_text_is_escaped():
    shown = chat.page([("client", "<script>alert('x')</script> & more"), ("assistant", "<b>no</b>")])
    assert "<script>" not in shown and "<b>no</b>" not in shown
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; more" in shown and "&lt;b&gt;no&lt;/b&gt;" in shown


def test_the_box_passes_the_state_on():
    pytest.importorskip("ipywidgets")
    heard = []

    def reply(state, text):
        heard.append((state, text))
        return state + 1, f"message {state + 1}"

    box = chat.box(reply, 0, "Hello.")
    talk, (line, send) = box.children[1], box.children[2].children
    assert "Hello." in talk.value
    for text in ("<i>one</i>", "   ", "x" * 900):
        line.value = text
        send.click()
    assert heard == [(0, "<i>one</i>"), (1, "x" * chat.LONGEST)] and line.value == ""
    assert "message 2" in talk.value and "<i>" not in talk.value


def test_without_ipywidgets_the_chat_says_what_to_install(monkeypatch):
    monkeypatch.setattr(chat, "find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(CourseError, match="lab"):
        chat.box(lambda state, text: (state, text), None, "Hello.")
