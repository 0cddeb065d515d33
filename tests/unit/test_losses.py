"""The world of losses: its law is what it says, and its annual quantile is right by closed forms and by drawing."""

import numpy as np
import pytest
from scipy import stats

from helpers import worlds
from helpers.errors import CourseError


def test_counts_body_and_tail_follow_their_laws():
    world = worlds.loss_years(40_000, rate=20, dispersion=2.5, shape=0.4, scale=2.0, share=0.2, seed=3)
    assert world.counts.mean() == pytest.approx(20, rel=0.01)
    assert world.counts.var() / world.counts.mean() == pytest.approx(2.5, rel=0.03)
    loss = world.frame["loss"].to_numpy()
    excess = loss[loss > world.threshold] - world.threshold
    assert len(excess) / len(loss) == pytest.approx(0.2, abs=0.003)
    assert stats.kstest(excess, stats.genpareto(0.4, scale=2.0).cdf).pvalue > 0.001
    assert stats.kstest(loss, lambda x: 1 - world.survival(x)).pvalue > 0.001
    assert world.frame.groupby("year").size().reindex(range(1, 40_001), fill_value=0).tolist() == world.counts.tolist()


def test_poisson_counts_have_dispersion_one():
    counts = worlds.loss_years(40_000, rate=9, dispersion=1, seed=4).counts
    assert counts.var() / counts.mean() == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize(("shape", "dispersion"), [(0.02, 1.0), (0.3, 3.0), (0.9, 3.0)])
def test_annual_quantile_against_drawn_years(shape, dispersion):
    world = worlds.loss_years(400_000, rate=10, dispersion=dispersion, shape=shape, share=0.2, seed=5)
    low, high = world.quantile(0.99)
    assert 0 < low < high < 1.01 * low
    sums = np.bincount(world.frame["year"] - 1, world.frame["loss"], minlength=400_000)
    assert (sums > low).mean() == pytest.approx(0.01, rel=0.08)  # four standard errors: 6 %


@pytest.mark.parametrize("level", [0.5, 0.99, 0.9999])
def test_bounds_enclose_a_sum_with_a_closed_form(level):
    """Sums of n inverse Gaussian losses are inverse Gaussian again; counts are Poisson with mean 6."""
    mean, size = 2.0, 1.5
    one = stats.invgauss(mean / size, scale=size)
    low, high = worlds.annual_bounds(one.sf, lambda z: worlds.count_generating(z, 6.0), level, step=0.002)
    n = np.arange(1, 60)
    chance = stats.poisson(6.0).pmf(n)

    def law(s):
        scale = n**2 * size
        return stats.poisson(6.0).pmf(0) + chance @ stats.invgauss(n * mean / scale, scale=scale).cdf(s)

    assert law(low) <= level + 1e-6 and level - 1e-6 <= law(high) and high - low < 0.2


def test_a_grid_that_ends_too_early_is_an_error_not_a_number():
    heavy = stats.genpareto(0.9)
    with pytest.raises(CourseError, match="enlarge step"):
        worlds.annual_bounds(heavy.sf, lambda z: worlds.count_generating(z, 50.0), step=0.001, points=2**10)


def test_loss_tails_have_the_tail_they_name():
    world = worlds.loss_tails(50_000, seed=6)
    law = stats.genpareto(world["shape"], scale=np.exp(world["log_scale"]))
    assert stats.kstest(law.cdf(world["excess"]), "uniform").pvalue > 0.001
    assert world["shape"].between(0.1, 0.9).all()
    both = (world["complexity"] > 1) & (world["gap"] > 1)
    assert world.loc[both, "shape"].min() > 0.7 > 0.5 > world.loc[world["gap"] < -0.1, "shape"].max()


@pytest.mark.parametrize("wrong", [{"years": 0}, {"rate": 0}, {"dispersion": 0.5}, {"share": 1.0}, {"shape": 0.0}])
def test_impossible_banks_are_refused(wrong):
    with pytest.raises(CourseError, match="loss_years needs"):
        worlds.loss_years(**{"years": 5, **wrong})
    with pytest.raises(CourseError, match="at least one loss"):
        worlds.loss_tails(0)
