"""A model in service: the notebook's own functions against loops, closed forms and draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks import harness
from helpers.service import monitor


class Quick:
    """A quick run."""

    def pick(self, *, quick, full):
        return quick


@pytest.fixture(scope="module")
def lesson() -> dict:
    space = {"np": np, "stats": stats, "SEED": 7, "A_WEEK": 10_000, "monitor": monitor, "run": Quick()}
    space["PEOPLE"], space["BIN"] = 4_200, np.full(10, 0.1)
    return harness.lesson("57", space)


def test_waits_are_those_of_the_loop(lesson):
    rng = np.random.default_rng(0)
    service, gaps = rng.exponential(1.0, (3, 500)), rng.exponential(1.1, (3, 500))
    got = lesson["waits"](service, gaps)
    for row in range(3):
        w = 0.0
        for n in range(500):
            assert got[row, n] == pytest.approx(w, abs=1e-9)
            if n < 499:
                w = max(0.0, w + service[row, n] - gaps[row, n + 1])


def test_waits_look_at_the_past_only(lesson):
    rng = np.random.default_rng(1)
    service, gaps = rng.exponential(1.0, 300), rng.exponential(1.1, 300)
    other = service.copy()
    other[200:] = 50
    np.testing.assert_array_equal(lesson["waits"](service, gaps)[:201], lesson["waits"](other, gaps)[:201])


def test_mean_wait_is_the_closed_form_of_simple_queues(lesson):
    assert lesson["pollaczek_khinchine"](0.8, 1.0, 2.0) == pytest.approx(0.8 / 0.2)  # M/M/1: rho / (mu - lambda)
    assert lesson["pollaczek_khinchine"](0.5, 1.0, 1.0) == pytest.approx(0.5)  # M/D/1: half of M/M/1
    for draw, mean, square in lesson["LAWS"].values():
        s = draw(np.random.default_rng(2), 2_000_000)
        assert s.mean() == pytest.approx(mean, rel=0.03) and (s**2).mean() == pytest.approx(square, rel=0.06)


def test_the_interval_takes_the_order_statistics_that_binomials_ask_for(lesson):
    for n, q in ((1_000, 0.99), (400, 0.9), (50, 0.5)):
        x = np.random.default_rng(3).permutation(np.arange(1.0, n + 1))
        low, high = lesson["quantile_interval"](x, q)
        assert stats.binom.cdf(high - 1, n, q) - stats.binom.cdf(low - 1, n, q) >= 0.95
        # a narrower interval on either side does not hold the promise of its tail
        assert stats.binom.cdf(low - 1, n, q) <= 0.025 + stats.binom.pmf(low, n, q)
        assert stats.binom.sf(high - 1, n, q) <= 0.025
    draws = np.random.default_rng(4).random((4_000, 400))
    low, high = lesson["quantile_interval"](draws, 0.9)
    assert ((low <= 0.9) & (high > 0.9)).mean() >= 0.94
    assert lesson["quantile_interval"](draws[:1, :100])[1] == np.inf  # a hundred times have no upper limit of p99


def test_the_queue_of_the_coverage_is_the_known_one(lesson):
    assert lesson["p99"] == pytest.approx(stats.expon(scale=1 / (lesson["MU"] * (1 - lesson["RHO"]))).ppf(0.99))
    assert lesson["covered"](1, 200) < 0.4 < lesson["covered"](50, 40)


def test_the_alarm_has_its_rate_when_the_shares_are_known(lesson, monkeypatch):
    monkeypatch.setitem(lesson, "PEOPLE", 10**12)
    for n, a_year in ((500, 20.0), (1_000, 10.0)):
        counts = np.random.default_rng(5).multinomial(n, np.full(10, 0.1), 200_000)
        rate = (monitor.chi_squared(counts, np.full(10, 0.1)) > lesson["alarm_limit"](n, a_year)).mean()
        assert rate * 520_000 / n == pytest.approx(a_year, rel=0.12)


def test_the_delay_of_a_large_change_is_the_rest_of_the_window(lesson):
    gross = np.array([0.9, *np.full(9, 0.1 / 9)])
    assert lesson["mean_delay"](1_000, gross) == pytest.approx(500, rel=0.25)
    delay, heard = lesson["watched"](1_000, gross, 2_000, 5, np.random.default_rng(6))
    assert heard.all() and delay.mean() == pytest.approx(lesson["mean_delay"](1_000, gross), rel=0.08)


@pytest.mark.parametrize("n", [500, 1_000, 2_000])
def test_the_delay_of_a_middling_change_is_that_of_draws(lesson, n):
    shares = np.array([0.075, 0.078, 0.081, 0.082, 0.096, 0.106, 0.138, 0.138, 0.114, 0.092])
    delay, heard = lesson["watched"](n, shares, 3_000, 60, np.random.default_rng(7))
    assert heard.mean() > 0.99 and delay.mean() == pytest.approx(lesson["mean_delay"](n, shares), rel=0.1)
