"""A form for notebook 29's advisor: in JupyterLab, or as a page of its own by Voilà (`make app`)."""

from __future__ import annotations

import html
import json
import os
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from helpers.errors import CourseError

HOME = Path(__file__).parents[1]
NOTEBOOK = HOME / "notebooks" / "29_robo_advisor.ipynb"
PAGE = HOME / "build" / "app" / "robo_advisor.ipynb"
PLAIN = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?")
NUMBERS = {  # name: label, first value
    "wealth": ("What you have", "60000"),
    "saving": ("What you save a year", "6000"),
    "goal": ("The sum you want", "250000"),
    "years": ("Years until then (1–20)", "15"),
    "reserve": ("Reserve, months of spending", "8"),
    "sold": ("Of your shares, sold after a fall, %", "50"),
}
CUTS = ("1/10", "1/5", "1/3", "1/2", "3/4")
GAMBLE = "Another job doubles your income for life, or cuts it, with even chances. What is the smallest cut you refuse?"


def lesson() -> dict[str, Any]:
    """The advisor of notebook 29: what its cells tagged `advice` define, run on their own."""
    import numpy as np
    import pandas as pd

    from helpers import datasets

    names: dict[str, Any] = {"np": np, "pd": pd, "datasets": datasets, "CourseError": CourseError}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if "advice" in cell["metadata"].get("tags", []):
            exec("".join(cell["source"]), names)
    return names


def answers(fields: dict[str, Any]) -> dict[str, Any]:
    """What a form holds (texts and choices) as answers; raises CourseError for what is no plain number.

    A comma may part thousands (60,000); as a decimal mark it is refused, since 2,5 must not become 25.
    """
    found = dict(fields)
    for name, (label, _) in NUMBERS.items():
        text = str(fields[name]).strip()
        if not PLAIN.fullmatch(text):
            example = " with a point, as in 2.5" if "," in text else ""
            raise CourseError(f"{label} is {text[:40]!r}: write a number{example}.")
        number = float(text.replace(",", ""))
        found[name] = int(number) if number.is_integer() else number
    return found


def form(advise: Callable[[dict], list[str]], path: Callable[[dict], Any] | None = None) -> Any:
    """A widget that asks, and shows the sentences of `advise(answers)` and a picture of `path(answers)`.

    A CourseError becomes a sentence in the form. Raises CourseError where ipywidgets is not installed.
    """
    if find_spec("ipywidgets") is None:
        raise CourseError('The form needs ipywidgets: pip install -e ".[lab]" brings it.')
    import ipywidgets as widgets

    wide = {"layout": widgets.Layout(width="460px"), "style": {"description_width": "260px"}}
    fields = {name: widgets.Text(value=first, description=label, **wide) for name, (label, first) in NUMBERS.items()}
    fields["refused"] = widgets.Dropdown(
        options=[*((cut, cut) for cut in CUTS), ("none of these", None)],
        value="1/2",
        description="Smallest cut",
        **wide,
    )
    fields["knowledge"] = widgets.Dropdown(
        options=["none", "some", "good"], value="some", description="Knowledge of leveraged funds", **wide
    )
    button = widgets.Button(description="Advise", button_style="primary")
    text, picture = widgets.HTML(), widgets.Image(format="png", layout=widgets.Layout(max_width="640px"))
    picture.layout.display = "none"

    def clicked(_: Any) -> None:
        picture.layout.display = "none"
        try:
            client = answers({name: field.value for name, field in fields.items()})
            items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in advise(client))
            text.value = f'<ul class="course-advice">{items}</ul>'
            if path is not None:
                picture.value = _picture(path({**client, "years": int(client["years"])}), client["goal"])
                picture.layout.display = ""
        except CourseError as error:
            text.value = f'<p class="course-error" role="alert"><b>Please mend:</b> {html.escape(str(error))}</p>'

    button.on_click(clicked)
    note = widgets.HTML("<p>A lesson, not advice to a real person. All sums in today's money.</p>")
    question = widgets.HTML(f"<p>{GAMBLE}</p>")
    rows = [*(fields[name] for name in NUMBERS), question, fields["refused"], fields["knowledge"], button]
    return widgets.VBox([widgets.HTML("<h2>Robo-advisor</h2>"), note, *rows, text, picture])


def show(advise: Callable[[dict], list[str]], path: Callable[[dict], Any] | None = None) -> None:
    """Display the form."""
    from IPython.display import display

    display(form(advise, path))


def _picture(quantiles: Any, goal: float) -> bytes:
    """Wealth by year, 5, 50 and 95 % of drawn lives, as a PNG."""
    import io

    import numpy as np
    from matplotlib.figure import Figure

    from helpers import plots

    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    ax, years = figure.add_subplot(), np.arange(1, quantiles.shape[1] + 1)
    low, middle, high = goal * np.asarray(quantiles)
    ax.fill_between(years, low, high, color=plots.SKY, alpha=0.4, label="9 of 10 futures")
    ax.plot(years, middle, color=plots.BLUE, marker="o", ms=3, label="half lie above")
    ax.axhline(goal, color=plots.BLACK, ls="--", label="goal")
    ax.set(xlabel="years from now", ylabel="wealth in today's money", title="What may become of your wealth")
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.legend(loc="upper left", frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def write_page(path: Path = PAGE) -> Path:
    """A notebook of one cell that shows the form."""
    import nbformat

    source = "from helpers import app\n\nadvisor = app.lesson()\napp.show(advisor['advise'], advisor['path_of_advice'])"
    cell = nbformat.v4.new_code_cell(source, id="advisor")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), path)
    return path


def main(arguments: list[str]) -> None:
    """Serve the form with Voilà; without it, open it in JupyterLab. Further arguments go to the server."""
    page = write_page()
    if find_spec("voila"):
        command = [sys.executable, "-m", "voila", str(page)]
    elif find_spec("jupyterlab"):
        print("Voilà is not installed; JupyterLab opens instead: run the one cell. The extra `app` brings Voilà.")
        command = [sys.executable, "-m", "jupyterlab", str(page)]
    else:
        raise CourseError('Neither Voilà nor JupyterLab is installed: pip install -e ".[app]" brings both.')
    os.execv(command[0], [*command, *arguments])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CourseError as error:
        sys.exit(str(error))
