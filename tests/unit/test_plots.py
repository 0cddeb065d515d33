import base64
from itertools import pairwise

import pytest

from helpers import plots
from helpers.errors import CourseError

ALT = "A straight line that rises from zero to one."


def shown(monkeypatch):
    import IPython.display
    import matplotlib.pyplot as plt

    plt.close("all")  # what other tests in this process left open

    calls = []
    monkeypatch.setattr(IPython.display, "display", lambda bundle, **kw: calls.append((bundle, kw)))
    plots.style()
    fig, ax = plt.subplots()
    ax.plot([0, 1])
    plots.show(fig, alt=ALT)
    return calls, plt.get_fignums()


def test_a_figure_is_one_png_with_alt_text_and_is_closed(monkeypatch):
    calls, still_open = shown(monkeypatch)
    (bundle, options), (words, _) = calls
    assert f"<details><summary>This figure in words</summary>{ALT}</details>" == words["text/html"]
    assert bundle["image/png"].startswith(b"\x89PNG") and bundle["text/plain"] == f"Figure: {ALT}"
    assert options["raw"] and options["metadata"]["image/png"]["alt"] == ALT
    assert still_open == []


def test_the_same_figure_gives_the_same_bytes(monkeypatch):
    first, second = shown(monkeypatch)[0][0][0], shown(monkeypatch)[0][0][0]
    assert base64.b64encode(first["image/png"]) == base64.b64encode(second["image/png"])


def test_a_figure_without_a_sentence_is_refused():
    import matplotlib.pyplot as plt

    with pytest.raises(CourseError, match="full sentence"):
        plots.show(plt.figure(), alt="a plot")
    plt.close("all")


def test_neighbouring_colours_of_the_cycle_differ_in_lightness_or_hue():
    import matplotlib.colors as colors

    as_rgb = [colors.to_rgb(c) for c in plots.CYCLE]
    for a, b in pairwise(as_rgb):
        assert sum(abs(x - y) for x, y in zip(a, b, strict=True)) > 0.3
