"""The world of clients and offers: its truth is what its outcomes show, its effect the one that was asked for."""

import numpy as np
import pandas as pd
import pytest

from helpers import worlds
from helpers.errors import CourseError


def test_the_truth_is_what_the_arms_show():
    made = worlds.retention_offer(200_000, spread=1.0, seed=1)
    assert abs(made["contacted"].mean() - 0.5) < 0.005
    group = pd.qcut(made["p0"] - made["p1"], 8, labels=False)
    for arm, truth in ((0, "p0"), (1, "p1")):
        part = made[made["contacted"] == arm]
        seen, told, n = (part.groupby(group)[c].agg(f) for c, f in (("left", "mean"), (truth, "mean"), (truth, "size")))
        assert (np.abs(seen - told) < 4 * np.sqrt(told * (1 - told) / n)).all()


@pytest.mark.parametrize("spread", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("effect", [0.0, 0.015])
def test_the_contact_keeps_the_part_asked_for_whatever_the_spread(spread, effect):
    made = worlds.retention_offer(100_000, spread=spread, effect=effect, seed=2)
    assert (made["p0"] - made["p1"]).mean() == pytest.approx(effect, abs=0.001)


def test_alike_means_that_uplift_follows_risk():
    made = worlds.retention_offer(5_000, spread=0.0, seed=3)
    uplift = (made["p0"] - made["p1"])[made["p0"] < 0.4]
    assert uplift.corr(made["p0"], method="spearman") > 0.999 and uplift.min() > 0
    differing = worlds.retention_offer(5_000, spread=0.6, seed=3)
    pd.testing.assert_series_equal(made["p0"], differing["p0"])  # the spread touches the contacted alone
    assert (differing["p0"] < differing["p1"]).mean() > 0.1


def test_a_campaign_goes_to_those_at_risk_and_an_adviser_hides_its_effect():
    def gap(**law):
        made = worlds.retention_offer(100_000, spread=0.0, share=0.3, seed=4, **law)
        band = made[made["p0"].between(0.09, 0.11)]  # clients whom the columns tell apart no more
        left = band.groupby("contacted")["left"].mean()
        return made.groupby("contacted")["p0"].mean().diff()[1], left[0] - left[1]

    at_random, by_columns, by_adviser = gap(), gap(eye=1.0, insight=0.0), gap(eye=1.0)
    assert abs(at_random[0]) < 0.002 < 0.02 < min(by_columns[0], by_adviser[0])
    assert min(at_random[1], by_columns[1]) > -0.005 and by_adviser[1] < -0.02


def test_the_seed_decides():
    first, again, other = (worlds.retention_offer(50, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize("law", [{"n": 0}, {"spread": 1.5}, {"share": 1.0}, {"effect": 0.05}, {"effect": -0.01}])
def test_impossible_laws_are_refused(law):
    with pytest.raises(CourseError, match="retention_offer"):
        worlds.retention_offer(**{"n": 10, **law})
