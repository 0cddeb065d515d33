"""Operational risk: the notebook's own functions against closed forms and an independent library."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, special, stats

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "33_operational_risk.ipynb"


@pytest.fixture(scope="module")
def lesson() -> dict:
    """The functions of the cells with the tag `functions`, and those that the tail models need."""
    space = {"np": np, "stats": stats, "optimize": optimize, "expit": special.expit}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if "functions" in cell["metadata"].get("tags", []) or source.startswith(("def tail_quantile", "INPUTS = ")):
            exec(source.partition("\n\n\ntable = ")[0], space)
    return space


@pytest.mark.parametrize("shape", [0.2, 0.7, 1.3])
def test_the_fit_is_the_maximum_that_scipy_finds(lesson, shape):
    excess = stats.genpareto(shape, scale=3.0).rvs((4, 300), random_state=1)
    shapes, scales, likelihoods = lesson["fit_gpd"](excess)
    for row, found in zip(excess, zip(shapes, scales, likelihoods, strict=True), strict=True):
        theirs = stats.genpareto.fit(row, floc=0)
        assert found[:2] == pytest.approx((theirs[0], theirs[2]), rel=2e-3)
        assert found[2] == pytest.approx(stats.genpareto(found[0], scale=found[1]).logpdf(row).sum(), rel=1e-9)


def test_the_tail_quantile_inverts_the_survival_function(lesson):
    q = lesson["tail_quantile"](0.999, 10.0, 0.05, 0.5, 7.0)
    assert 0.05 * stats.genpareto(0.5, 10.0, 7.0).sf(q) == pytest.approx(0.001)


def test_fourier_encloses_sums_of_infinite_mean(lesson):
    """Sums of n Lévy losses are n² times a Lévy loss: a tail of shape 2, where aliasing is at its worst."""
    one, step, points = stats.levy(scale=0.05), 0.05, 2**14
    count = lambda z: np.exp(3 * (z - 1))  # noqa: E731
    low, high = (
        np.cumsum(lesson["by_fft"](lesson["on_grid"](one.sf, step, points, up), count, 20)) for up in (True, False)
    )
    n = np.arange(1, 40)[:, None]
    at = step * np.arange(points)
    exact = stats.poisson(3).pmf(0) + (stats.poisson(3).pmf(n) * stats.levy(scale=0.05 * n**2).cdf(at)).sum(axis=0)
    assert (low <= exact + 1e-8).all() and (exact <= high + 1e-8).all() and np.abs(high - low)[200:].max() < 0.02
    untilted = np.cumsum(lesson["by_fft"](lesson["on_grid"](one.sf, step, points), count))
    assert np.abs(untilted - high).max() > 1e-4  # sums that pass the end come back, unless they are damped


@pytest.mark.parametrize(("rate", "dispersion"), [(5.0, 1.0), (8.0, 2.5)])
def test_panjer_equals_a_plain_convolution_of_counts(lesson, rate, dispersion):
    f = np.array([0.1, 0.4, 0.3, 0.0, 0.2] + [0.0] * 95)
    a = 1 - 1 / dispersion
    b = rate if dispersion == 1 else a * (rate / (dispersion - 1) - 1)
    law = stats.poisson(rate) if dispersion == 1 else stats.nbinom(rate / (dispersion - 1), 1 / dispersion)
    total, power = np.zeros(100), np.eye(1, 100)[0]
    for n in range(120):
        total += law.pmf(n) * power
        power = np.convolve(power, f)[:100]
    none = total[0]
    np.testing.assert_allclose(lesson["by_panjer"](f, a, b, none), total, atol=1e-12)


def test_the_linear_tail_is_found_again(lesson):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((40_000, 5))
    log_scale, shape = 0.5 + x @ [0.3, 0, 0, -0.2, 0], special.expit(-1 + x @ [0, 0.2, 0.3, 0, 0])
    y = stats.genpareto(shape, scale=np.exp(log_scale)).rvs(random_state=3)
    weights = lesson["fit_tail"](x, y, 1)
    np.testing.assert_allclose(weights, [0.5, 0.3, 0, 0, -0.2, 0, -1, 0, 0.2, 0.3, 0, 0], atol=0.12)
    log_density = lesson["log_density"](y[:9], log_scale[:9], shape[:9])
    np.testing.assert_allclose(log_density, stats.genpareto(shape[:9], scale=np.exp(log_scale[:9])).logpdf(y[:9]))
