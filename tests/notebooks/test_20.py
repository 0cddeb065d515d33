"""Notebook 20: its feature functions see no future, and its targets are the next day's."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import audit, worlds

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "20_stock_price_prediction.ipynb"


@pytest.fixture(scope="module")
def lesson():
    """The functions of the notebook's own cells, found by their tag."""
    names = {"np": np, "pd": pd}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if "features" in cell["metadata"].get("tags", []):
            source = "".join(cell["source"])
            exec(source.partition("\ndef prepare_stock")[0], names)
    return names


@pytest.fixture(scope="module")
def market():
    frame = worlds.ohlc(worlds.garch11(400, seed=3), seed=3)
    rng = np.random.default_rng(3)
    return frame.assign(vix=np.exp(3 + 0.2 * rng.standard_normal(400)))


@pytest.mark.parametrize("name", ["features", "stock_features"])
def test_features_see_no_future(lesson, market, name):
    audit.assert_no_lookahead(lesson[name], market)


@pytest.mark.parametrize("name", ["features", "stock_features"])
def test_a_shift_of_one_day_would_be_caught(lesson, market, name):
    with pytest.raises(audit.LeakError):
        audit.assert_no_lookahead(lambda frame: lesson[name](frame).shift(-1), market)


def test_targets_are_those_of_the_next_day(lesson, market):
    wanted = lesson["targets"](market).iloc[10]
    day, before = market.iloc[11], market.iloc[10]
    assert wanted["return"] == pytest.approx(np.log(day["close"] / before["close"]))
    assert wanted["up"] == float(day["close"] > before["close"])
    parkinson = (np.log(day["high"]) - np.log(day["low"])) ** 2 / (4 * np.log(2))
    assert wanted["log_variance"] == pytest.approx(np.log(parkinson))
    assert lesson["targets"](market).iloc[-1].isna().all()


def test_range_variance_measures_the_variance_of_a_simulated_day(lesson):
    world = worlds.garch11(4000, seed=3)
    measured = np.exp(lesson["features"](worlds.ohlc(world, intraday=400, seed=3).assign(vix=20.0))["variance_day"])
    assert measured.mean() / world.best.mean() == pytest.approx(1, abs=0.1)
