"""Option prices against published values, an independent library where installed, parity, and simulated paths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from helpers import options, worlds
from helpers.errors import CourseError

FANG = {"v0": 0.0175, "mean": 0.0398, "speed": 1.5768, "vol_of_vol": 0.5751, "rho": -0.5711}
HESTONS = [FANG, {"v0": 0.09, "mean": 0.04, "speed": 3.0, "vol_of_vol": 0.3, "rho": 0.4}]
numbers = {
    "strike": st.floats(40, 250),
    "years": st.floats(0.05, 3),
    "volatility": st.floats(0.05, 1),
    "rate": st.floats(-0.02, 0.1),
    "dividend": st.floats(0, 0.06),
}


@settings(max_examples=60, deadline=None)
@given(**numbers)
def test_parity_holds_for_prices_and_greeks(strike, years, volatility, rate, dividend):
    call, put = (options.black_scholes(100, strike, years, volatility, rate, dividend, call=c) for c in (True, False))
    carry, discount = np.exp(-dividend * years), np.exp(-rate * years)
    assert call.price - put.price == pytest.approx(100 * carry - strike * discount, abs=1e-10)
    assert call.delta - put.delta == pytest.approx(carry, abs=1e-12)
    assert (call.gamma, call.vega) == pytest.approx((put.gamma, put.vega), abs=1e-12)
    assert max(100 * carry - strike * discount, 0) - 1e-9 <= call.price <= 100 * carry
    slope = options.black_scholes(np.array([100 - 1e-3, 100 + 1e-3]), strike, years, volatility, rate, dividend)
    assert call.delta == pytest.approx(np.diff(slope.price)[0] / 2e-3, abs=1e-6)
    assert call.gamma == pytest.approx(np.diff(slope.delta)[0] / 2e-3, abs=1e-5)
    moved = options.black_scholes(100, strike, years + np.array([-1e-5, 1e-5]), volatility, rate, dividend).price
    assert call.theta == pytest.approx(-np.diff(moved)[0] / 2e-5, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(**numbers, call=st.booleans())
def test_implied_volatility_inverts_the_formula(strike, years, volatility, rate, dividend, call):
    terms = (100, strike, years, rate, dividend, call)
    priced = options.black_scholes(100, strike, years, volatility, rate, dividend, call)
    found = options.implied_volatility(priced.price, *terms)
    if priced.vega > 1e-3:
        assert found == pytest.approx(volatility, abs=1e-8)
    elif np.isfinite(found):  # far from the money the price hardly knows: it must still be the price
        assert options.black_scholes(100, strike, years, found, rate, dividend, call).price == pytest.approx(
            priced.price
        )


def test_prices_outside_the_bounds_have_no_volatility():
    found = options.implied_volatility(np.array([9.9, 10.0, 100.0, 120.0, np.nan, 12.0]), 100, 90.0, 1.0)
    assert np.isnan(found[:5]).all() and found[5] > 0


@pytest.mark.parametrize(("strike", "price"), [(80, 20.799226309), (100, 3.659968453), (120, 0.044577814)])
def test_fang_and_oosterlees_black_scholes_values(strike, price):
    assert options.black_scholes(100, strike, 0.1, 0.25, 0.1).price == pytest.approx(price, abs=5e-10)


def test_heston_equals_its_published_value():
    assert options.heston(100, 100, 1.0, **FANG)[0] == pytest.approx(5.785155450, abs=1e-7)  # printed; exact: …434
    assert options.heston(100, 100, 1.0, **FANG, terms=1000, width=30)[0] == pytest.approx(5.785155434, abs=1e-9)


@pytest.mark.parametrize("law", HESTONS)
def test_heston_equals_an_integral_of_its_characteristic_function(law):
    """Lewis (2001): one integral on the line Im u = -1/2, by quadrature."""
    for strike, years in ((70.0, 0.5), (100.0, 2.0), (140.0, 1.0)):
        k = np.log(100 / strike)

        def integrand(u, k=k, years=years):
            phi = options.heston_characteristic(u - 0.5j, years, **law)
            return (np.exp(1j * u * k) * phi).real / (u**2 + 0.25)

        integral = integrate.quad(integrand, 0, np.inf, limit=400)[0]
        exact = 100 - np.sqrt(100 * strike) / np.pi * integral
        assert options.heston(100, strike, years, **law)[0] == pytest.approx(exact, abs=2e-6)


@pytest.mark.parametrize("law", HESTONS)
def test_heston_broadcasts_a_strip_and_knows_parity_and_its_delta(law):
    strikes, years = np.array([[80.0, 100.0, 130.0]]), np.array([[0.5], [1.5]])
    terms = {"years": years, "rate": 0.03, "dividend": 0.01, **law}
    calls, deltas = options.heston(100, strikes, **terms)
    puts, put_deltas = options.heston(100, strikes, **terms, call=False)
    assert calls.shape == (2, 3)
    carry, discount = np.exp(-0.01 * years), np.exp(-0.03 * years)
    np.testing.assert_allclose(calls - puts, 100 * carry - strikes * discount, atol=1e-9)
    np.testing.assert_allclose(deltas - put_deltas, np.broadcast_to(carry, (2, 3)), atol=1e-12)
    up, down = (options.heston(100 + h, strikes, **terms)[0] for h in (1e-3, -1e-3))
    np.testing.assert_allclose(deltas, (up - down) / 2e-3, atol=1e-6)
    one = options.heston(100, 130.0, **{**terms, "years": 1.5})
    assert one[0].shape == () and one == pytest.approx((calls[1, 2], deltas[1, 2]), abs=1e-12)
    many = options.heston(100, np.full(3000, 130.0), **{**terms, "years": 1.5})[0]  # in several slices
    np.testing.assert_allclose(many, calls[1, 2], atol=1e-12)


@pytest.mark.parametrize("law", HESTONS)
def test_cumulants_are_the_derivatives_of_the_log_characteristic_function(law):
    h = 1e-3
    up, down = (np.log(options.heston_characteristic(np.complex128(x), 0.8, **law)) for x in (h, -h))
    mean, variance = options.heston_cumulants(0.8, **law)
    assert mean == pytest.approx(((up - down) / (2j * h)).real, abs=1e-6)
    assert variance == pytest.approx(-((up + down) / h**2).real, rel=1e-4)


def test_heston_without_vol_of_vol_is_black_scholes():
    price = options.heston(100, 105, 0.7, v0=0.04, mean=0.04, speed=1.0, vol_of_vol=1e-3, rho=0.0)[0]
    assert price == pytest.approx(options.black_scholes(100, 105, 0.7, 0.2).price, abs=1e-5)


@pytest.mark.parametrize(("strike", "rate"), [(90.0, 0.0), (100.0, 0.08)])
def test_down_and_out_call_is_the_mean_over_bridges(strike, rate):
    """No path can miss the barrier unseen: given its end, a path survives with a known probability."""
    rng, H, total = np.random.default_rng(1), 85.0, 0.3**2 * 0.5
    end = 100 * np.exp((rate - 0.045) * 0.5 + np.sqrt(total) * rng.standard_normal(400_000))
    alive = np.where(end > H, -np.expm1(-2 * np.log(100 / H) * np.log(np.maximum(end, H) / H) / total), 0)
    paid = np.exp(-rate * 0.5) * alive * np.maximum(end - strike, 0)
    exact = options.down_and_out_call(100, strike, H, 0.5, 0.3, rate)
    assert exact == pytest.approx(paid.mean(), abs=4 * paid.std() / np.sqrt(len(paid)))
    assert options.down_and_out_call(np.array([84.0, 85.0]), strike, H, 0.5, 0.3, rate).tolist() == [0, 0]


def test_bachelier_is_the_mean_of_normal_payoffs():
    x = np.linspace(-12, 12, 200_001)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    for forward, strike, call in ((1.0, 0.9, True), (1.0, 1.4, True), (1.0, 1.2, False)):
        sign = 1 if call else -1
        exact = np.trapezoid(np.maximum(sign * (forward + 0.3 * x - strike), 0) * density, x)
        price, delta = options.bachelier(forward, strike, 0.3, call)
        assert price == pytest.approx(exact, abs=1e-7)
        up, down = (options.bachelier(forward + h, strike, 0.3, call)[0] for h in (1e-5, -1e-5))
        assert delta == pytest.approx((up - down) / 2e-5, abs=1e-8)


def test_quantlib_agrees():
    ql = pytest.importorskip("QuantLib", reason="the extra `markets` is not installed")
    today, days = ql.Date(2, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    curve = lambda r: ql.YieldTermStructureHandle(ql.FlatForward(today, r, days))  # noqa: E731
    spot, expiry = ql.QuoteHandle(ql.SimpleQuote(100.0)), today + 365
    law = ql.HestonProcess(
        curve(0.03), curve(0.01), spot, *(FANG[k] for k in ("v0", "speed", "mean", "vol_of_vol", "rho"))
    )
    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), 0.25, days))
    plain = ql.BlackScholesMertonProcess(spot, curve(0.01), curve(0.03), vol)
    for strike in (80.0, 110.0):
        option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, strike), ql.EuropeanExercise(expiry))
        option.setPricingEngine(ql.AnalyticHestonEngine(ql.HestonModel(law), 1e-12, 100_000))
        ours = options.heston(100, strike, 1.0, **FANG, rate=0.03, dividend=0.01, terms=512)[0]
        assert ours == pytest.approx(option.NPV(), abs=1e-6)
        option.setPricingEngine(ql.AnalyticEuropeanEngine(plain))
        ours = options.black_scholes(100, strike, 1.0, 0.25, 0.03, 0.01)
        theirs = (option.NPV(), option.delta(), option.gamma(), option.vega(), option.theta())
        assert tuple(ours) == pytest.approx(theirs, abs=1e-9)
        payoff = ql.PlainVanillaPayoff(ql.Option.Call, strike)
        barrier = ql.BarrierOption(ql.Barrier.DownOut, 75.0, 0.0, payoff, ql.EuropeanExercise(expiry))
        barrier.setPricingEngine(ql.AnalyticBarrierEngine(plain))
        ours = options.down_and_out_call(100, strike, 75.0, 1.0, 0.25, 0.03, 0.01)
        assert ours == pytest.approx(barrier.NPV(), abs=1e-9)


def test_a_book_knows_its_price_and_deltas():
    book = worlds.basket_book(200, seed=3)
    state = book.states[:1]
    step = 1e-5 * np.eye(5)
    numeric = (book.price(state + step) - book.price(state - step)) / 2e-5
    np.testing.assert_allclose(book.delta(state)[0], numeric, atol=1e-8)
    large = worlds.basket_book(400_000, seed=4)
    for mean in (large.payoff - large.price(large.states), large.differentials - large.delta(large.states)):
        assert np.abs(mean.mean(axis=0) / (mean.std(axis=0) / np.sqrt(len(mean)))).max() < 4
    one = worlds.basket_book(10, baskets=1, book=5)
    assert one.weights.shape == (1, 5) and one.weights.sum() == pytest.approx(1)


def test_heston_paths_price_options_and_keep_the_mean():
    law = {**FANG, "rate": 0.03, "dividend": 0.01}
    paths = worlds.heston_paths(200_000, 24, **law, seed=5)
    assert paths.price.shape == paths.variance.shape == (200_000, 25) and paths.dt == pytest.approx(1 / 24)
    assert (paths.variance >= 0).all()
    for date in (6, 24):
        t = date / 24
        end = paths.price[:, date]
        assert end.mean() == pytest.approx(100 * np.exp(0.02 * t), abs=4 * end.std() / np.sqrt(len(end)))
        v = paths.variance[:, date]
        expected = 0.0398 + (0.0175 - 0.0398) * np.exp(-1.5768 * t)
        assert v.mean() == pytest.approx(expected, abs=4 * v.std() / np.sqrt(len(v)))
        for strike in (85.0, 100.0, 115.0):
            paid = np.exp(-0.03 * t) * np.maximum(end - strike, 0)
            exact = options.heston(100, strike, t, **law, terms=512)[0]
            assert paid.mean() == pytest.approx(exact, abs=4 * paid.std() / np.sqrt(len(paid)) + 0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: options.black_scholes(100, 100, 0.0, 0.2),
        lambda: options.implied_volatility(5, -1, 100, 1),
        lambda: options.bachelier(1, 1, 0.0),
        lambda: options.down_and_out_call(100, 90, 95, 1, 0.2),
        lambda: options.heston(100, 100, 1, **{**FANG, "rho": -1.0}),
        lambda: options.heston(100, 100, 1, **{**FANG, "v0": float("nan")}),
        lambda: worlds.basket_book(0),
        lambda: worlds.heston_paths(10, 0),
        lambda: worlds.heston_paths(10, 5, rho=1.0),
    ],
)
def test_impossible_contracts_are_refused(wrong):
    with pytest.raises(CourseError):
        wrong()
