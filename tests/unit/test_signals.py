import numpy as np
import pytest
from scipy.linalg import solve_discrete_are

from helpers import worlds
from helpers.errors import CourseError

PROBLEM = {"aversion": 0.7, "cost": 9.0, "impatience": 0.03, "variance": 0.5}
LOADINGS, FADE = np.array([0.4, -0.2, 1.1]), np.array([0.03, 0.3, 1.0])


def riccati(loadings, fade, aversion, cost, impatience, variance):
    """SciPy's answer: rate, rate × aim, value from no position and stationary signals."""
    beta, k = 1 - impatience, len(loadings)
    move, push = np.diag([1, *(1 - fade)]), np.eye(k + 1, 1)
    after, gain = np.array([1.0, *[0] * k, 1]), np.array([0, *loadings, 0])
    bill = beta * (aversion * variance * np.outer(after, after) - np.outer(after, gain) - np.outer(gain, after))
    bill[-1, -1] += cost * variance
    Q, S, R = bill[:-1, :-1], bill[:-1, -1:], bill[-1:, -1:]
    P = solve_discrete_are(beta**0.5 * move, beta**0.5 * push, Q, R, s=S)
    trade = -np.linalg.solve(R + beta * push.T @ P @ push, beta * push.T @ P @ move + S.T)[0]
    of_signals = np.diag(P)[1:]
    value = -of_signals.sum() / 2 - beta / impatience * (of_signals * (1 - (1 - fade) ** 2)).sum() / 2
    return -trade[0], trade[1:], value


def test_the_best_trader_is_scipys_riccati_solution():
    best = worlds.best_trader(loadings=LOADINGS, fade=FADE, **PROBLEM)
    rate, towards, value = riccati(LOADINGS, FADE, **PROBLEM)
    assert best.rate == pytest.approx(rate, rel=1e-9)
    np.testing.assert_allclose(best.rate * best.aim, towards, rtol=1e-8)
    assert best.value == pytest.approx(value, rel=1e-8)


def test_the_published_form_of_rate_and_aim():
    best = worlds.best_trader(loadings=[1.0], fade=[0.1], aversion=2, cost=5, impatience=0.02, variance=0.04)
    assert best.rate == pytest.approx(0.4562685404, abs=1e-10)
    assert best.aim[0] == pytest.approx(11.2201497, abs=1e-6)
    a = best.rate * 5  # in Gârleanu and Pedersen's units
    assert best.aim[0] == pytest.approx(1 / (2 * 0.04 * (1 + 0.1 * a / 2)))


def test_cheap_trades_give_markowitz():
    best = worlds.best_trader(loadings=[0.3], fade=[0.2], aversion=1.5, cost=1e-7, impatience=0.02)
    assert best.rate == pytest.approx(1, abs=1e-3) and best.aim[0] == pytest.approx(0.2, abs=1e-3)


@pytest.mark.parametrize("rate", [None, 0.02, 0.5])
def test_simulated_rewards_and_losses_add_up_to_the_value(rate):
    best = worlds.best_trader(loadings=LOADINGS, fade=FADE, **PROBLEM)
    made, beta, scale = worlds.signal_market(4000, 300, loadings=LOADINGS, fade=FADE, seed=3), 0.97, PROBLEM["variance"]
    x, total = np.zeros(4000), np.zeros(4000)
    for t in range(300):
        before, signals = x, made.signals[:, t]
        star = best.position(before, signals)
        x = star if rate is None else before + rate * (signals @ LOADINGS - before)
        gain = x * made.returns[:, t] - PROBLEM["aversion"] * scale / 2 * x**2
        paid = beta * gain - PROBLEM["cost"] * scale / 2 * (x - before) ** 2
        total += beta**t * (paid + best.curvature / 2 * (x - star) ** 2)
    assert total.mean() == pytest.approx(best.value, abs=4 * total.std() / 4000**0.5 + 0.001 * best.value)


def test_the_market_is_what_it_says():
    made = worlds.signal_market(400, 500, loadings=LOADINGS, fade=FADE, seed=5)
    assert made.signals.shape == (400, 501, 3) and made.returns.shape == made.expected.shape == (400, 500)
    np.testing.assert_allclose(made.signals.var(axis=(0, 1)), 1, atol=0.05)
    for k, fade in enumerate(FADE):
        f = made.signals[:, :, k]
        assert (f[:, 1:] * f[:, :-1]).mean() == pytest.approx(1 - fade, abs=0.05)
    surprise = made.returns - made.expected
    assert surprise.std() == pytest.approx(1, abs=0.01)
    assert abs((surprise[:, :-1] * made.signals[:, 1:-1, 0]).mean()) < 0.01  # no news about the next signal
    on = worlds.signal_market(400, 2, loadings=LOADINGS, fade=FADE, start=made.signals[:, -1], seed=6)
    np.testing.assert_array_equal(on.signals[:, 0], made.signals[:, -1])


def test_the_seed_decides():
    one, two, other = (worlds.signal_market(5, 9, loadings=[1.0], fade=[0.1], seed=s).returns for s in (1, 1, 2))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    "call,words",
    [
        (lambda: worlds.signal_market(0, 5, loadings=[1], fade=[0.1]), "at least one life"),
        (lambda: worlds.signal_market(2, 5, loadings=[1], fade=[0.0]), "above 0"),
        (lambda: worlds.best_trader(loadings=[1, 2], fade=[0.1], **PROBLEM), "one length"),
        (lambda: worlds.best_trader(loadings=[1], fade=[0.1], aversion=1, cost=0, impatience=0.1), "cost"),
        (lambda: worlds.best_trader(loadings=[1], fade=[0.1], aversion=1, cost=1, impatience=1.0), "impatience"),
    ],
)
def test_errors_say_what_is_wrong(call, words):
    with pytest.raises(CourseError, match=words):
        call()
