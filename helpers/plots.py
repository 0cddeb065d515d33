"""The course's figures: one look, message titles, alt text, colours that everyone can tell apart."""

from __future__ import annotations

import io
from html import escape
from typing import TYPE_CHECKING

from helpers.errors import CourseError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito (2008), "Color universal design": distinguishable with every common colour-vision deficiency.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#000000",
)
GREY = "#7F7F7F"
CYCLE = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK)


def style() -> None:
    """Set the course's figure style: white ground (readable on dark and light pages), left-aligned bold titles."""
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "figure.figsize": (8.0, 4.0),
            "figure.dpi": 100,
            "savefig.dpi": 100,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": mpl.cycler(color=CYCLE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.titlesize": 12,
            "axes.labelsize": 10,
            "font.size": 10,
            "legend.frameon": False,
            "lines.linewidth": 1.5,
            "axes.axisbelow": True,
        }
    )


def show(fig: Figure, *, alt: str) -> None:
    """Display `fig` once, as a PNG that carries `alt` for readers who cannot see it, and close it.

    `alt` says in a sentence or two what the figure shows (at least 20 characters, else CourseError). It goes into the
    picture's metadata, where exported pages find it, and, since JupyterLab does not look there, under a fold below it.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    if len(alt.strip()) < 20:
        raise CourseError("plots.show(fig, alt=…): say in a full sentence what the figure shows.")
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(fig)
    bundle = {"image/png": buffer.getvalue(), "text/plain": f"Figure: {alt}"}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt}})
    words = f"<details><summary>This figure in words</summary>{escape(alt)}</details>"
    display({"text/html": words, "text/plain": ""}, raw=True)
