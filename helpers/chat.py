"""A chat with an assistant: a transcript as HTML in which a client's text stays text, and a box to type in."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any

from helpers.errors import CourseError

LONGEST = 500  # characters of a message that are read
STYLES = {  # who: side, colours
    "client": "margin-left:25%;background:#DCEBF5;color:#000;",
    "assistant": "margin-right:25%;background:#EEE;color:#000;",
}


def page(turns: Iterable[tuple[str, str]]) -> str:
    """HTML of a conversation, turns (who, text) with who of "client" or "assistant"; all text is escaped."""
    bubble = '<p class="course-{0}" style="{1}padding:0.4em 0.8em;border-radius:0.8em"><b>{0}</b>: {2}</p>'
    return "".join(bubble.format(who, STYLES[who], html.escape(text)) for who, text in turns)


def show(turns: Iterable[tuple[str, str]]) -> None:
    """Display a conversation; where no HTML is shown, as plain lines."""
    from IPython.display import display

    turns = list(turns)
    plain = "\n".join(f"{who}: {text}" for who, text in turns)
    display({"text/html": page(turns), "text/plain": plain}, raw=True)


def box(reply: Callable[[Any, str], tuple[Any, str]], start: Any, greeting: str) -> Any:
    """A widget to talk to `reply(state, text) -> (state, answer)` from the state `start`.

    Raises CourseError where ipywidgets is not installed.
    """
    if find_spec("ipywidgets") is None:
        raise CourseError('The chat needs ipywidgets: pip install -e ".[lab]" brings it.')
    import ipywidgets as widgets

    turns, state = [("assistant", greeting)], start
    talk = widgets.HTML(page(turns))
    line = widgets.Text(placeholder="Write a message", layout=widgets.Layout(width="420px"))
    send = widgets.Button(description="Send", button_style="primary")

    def sent(_: Any) -> None:
        nonlocal state
        text, line.value = line.value.strip()[:LONGEST], ""
        if text:
            state, answer = reply(state, text)
            turns.extend([("client", text), ("assistant", answer)])
            talk.value = page(turns)

    send.on_click(sent)
    note = widgets.HTML("<p>A lesson, not a bank. Write nothing private.</p>")
    return widgets.VBox([note, talk, widgets.HBox([line, send])])
