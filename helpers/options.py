"""Option prices and sensitivities: Black–Scholes, Bachelier, Heston by cosine series, barriers, implied volatility.

Everything works on arrays that broadcast. Rates and volatilities are yearly fractions, times are years; prices,
spots and strikes share one currency. Notebook 24 derives what stands here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from helpers.errors import CourseError


class Priced(NamedTuple):
    """Price, and its derivatives: to the spot (delta, gamma), to the volatility (vega), to passing time (theta)."""

    price: np.ndarray
    delta: np.ndarray
    gamma: np.ndarray
    vega: np.ndarray
    theta: np.ndarray


def black_scholes(
    spot: np.ndarray,
    strike: np.ndarray,
    years: np.ndarray,
    volatility: np.ndarray,
    rate: np.ndarray = 0.0,
    dividend: np.ndarray = 0.0,
    call: np.ndarray | bool = True,
) -> Priced:
    """European option on a share with a continuous dividend yield (Black and Scholes 1973; Merton 1973).

    `call`: True for calls, False for puts. theta is per year, vega per 1.00 of volatility. Raises CourseError unless
    spot, strike, years and volatility are above 0.
    """
    from scipy.special import ndtr

    _positive("black_scholes", spot=spot, strike=strike, years=years, volatility=volatility)
    sign = np.where(call, 1.0, -1.0)
    total, discount, carry = volatility * np.sqrt(years), np.exp(-rate * years), np.exp(-dividend * years)
    d1 = (np.log(np.divide(spot, strike)) + (rate - dividend) * years) / total + total / 2
    d2 = d1 - total
    density = np.exp(-(d1**2) / 2) / np.sqrt(2 * np.pi)
    held, owed = sign * carry * ndtr(sign * d1), sign * discount * ndtr(sign * d2)
    vega = spot * carry * density * np.sqrt(years)
    theta = -vega * volatility / (2 * years) - rate * strike * owed + dividend * spot * held
    return Priced(spot * held - strike * owed, held, carry * density / (spot * total), vega, theta)


def implied_volatility(
    price: np.ndarray,
    spot: np.ndarray,
    strike: np.ndarray,
    years: np.ndarray,
    rate: np.ndarray = 0.0,
    dividend: np.ndarray = 0.0,
    call: np.ndarray | bool = True,
) -> np.ndarray:
    """The volatility at which `black_scholes` gives `price`; NaN where no volatility from 0.0001 to 20 does.

    Bisection narrows the bracket in total volatility, Newton's steps finish inside it. Prices at or outside the
    no-arbitrage bounds (at least the forward's pay-off, less than the discounted forward or strike) give NaN.
    """
    _positive("implied_volatility", spot=spot, strike=strike, years=years)
    arrays = np.broadcast_arrays(price, spot, strike, years, rate, dividend, call)
    price, spot, strike, years, rate, dividend = (np.asarray(a, float) for a in arrays[:6])
    call = arrays[6].astype(bool)

    def gap(volatility: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = black_scholes(spot, strike, years, volatility, rate, dividend, call)
        return at.price - price, at.vega

    low, high = np.full(price.shape, 1e-4), np.full(price.shape, 20.0)
    with np.errstate(invalid="ignore"):
        possible = (gap(low)[0] < 0) & (gap(high)[0] > 0)
    guess = np.full(price.shape, 0.3)
    for _ in range(60):
        difference, vega = gap(guess)
        with np.errstate(invalid="ignore"):
            high, low = np.where(difference > 0, guess, high), np.where(difference > 0, low, guess)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = guess - difference / vega
            inside = (newton > low) & (newton < high)
        new = np.where(inside, newton, (low + high) / 2)
        if np.all(~possible | (np.abs(new - guess) < 1e-13)):
            break
        guess = new
    return np.where(possible, new, np.nan)


def bachelier(
    forward: np.ndarray, strike: np.ndarray, deviation: np.ndarray, call: np.ndarray | bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Undiscounted price and delta of an option on a normal variable (Bachelier 1900).

    `deviation`: standard deviation of the underlying at expiry, in its own units. CourseError unless it is above 0.
    """
    from scipy.special import ndtr

    _positive("bachelier", deviation=deviation)
    sign = np.where(call, 1.0, -1.0)
    gain = sign * (np.subtract(forward, strike))
    z = gain / deviation
    return gain * ndtr(z) + deviation * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), sign * ndtr(z)


def down_and_out_call(
    spot: np.ndarray,
    strike: np.ndarray,
    barrier: np.ndarray,
    years: np.ndarray,
    volatility: np.ndarray,
    rate: np.ndarray = 0.0,
    dividend: np.ndarray = 0.0,
) -> np.ndarray:
    """Call that is lost when the share touches `barrier` (Merton 1973; Haug 2007, Option Pricing Formulas, §4.17.1).

    Continuously monitored, no rebate; 0 where spot <= barrier. Raises CourseError where barrier > strike.
    """
    _positive("down_and_out_call", spot=spot, strike=strike, barrier=barrier, years=years, volatility=volatility)
    if np.any(np.greater(barrier, strike)):
        raise CourseError("down_and_out_call knows barriers at or below the strike.")
    power = 2 * (rate - dividend) / np.square(volatility) - 1
    mirrored = np.square(barrier) / spot
    plain = black_scholes(spot, strike, years, volatility, rate, dividend).price
    image = black_scholes(mirrored, strike, years, volatility, rate, dividend).price
    return np.where(np.greater(spot, barrier), plain - np.divide(barrier, spot) ** power * image, 0.0)


def heston_characteristic(
    u: np.ndarray,
    years: np.ndarray,
    v0: np.ndarray,
    mean: np.ndarray,
    speed: np.ndarray,
    vol_of_vol: np.ndarray,
    rho: np.ndarray,
) -> np.ndarray:
    """E[exp(iu ln(S_T / F))], F the forward, of Heston's (1993) model

        dS / S = (r - q) dt + sqrt(v) dW,    dv = speed (mean - v) dt + vol_of_vol sqrt(v) dZ,    dW dZ = rho dt,

    in the form whose logarithm stays continuous (Albrecher and others 2007, The little Heston trap, formula 2).
    v0, mean: variances a year.
    """
    iu = 1j * np.asarray(u)
    beta = speed - rho * vol_of_vol * iu
    root = np.sqrt(beta**2 + np.square(vol_of_vol) * (iu + np.square(u)))
    g = (beta - root) / (beta + root)
    decay = np.exp(-root * years)
    level = (beta - root) * years - 2 * np.log((1 - g * decay) / (1 - g))
    slope = (beta - root) * (1 - decay) / (1 - g * decay)
    return np.exp((speed * mean * level + v0 * slope) / np.square(vol_of_vol))


def heston(
    spot: np.ndarray,
    strike: np.ndarray,
    years: np.ndarray,
    v0: np.ndarray,
    mean: np.ndarray,
    speed: np.ndarray,
    vol_of_vol: np.ndarray,
    rho: np.ndarray,
    rate: np.ndarray = 0.0,
    dividend: np.ndarray = 0.0,
    call: np.ndarray | bool = True,
    *,
    terms: int = 256,
    width: float = 20.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Price and delta of a European option in Heston's model by the COS method (Fang and Oosterlee 2008).

    A cosine series with `terms` terms of the density of ln(S_T / F), F the forward, on its mean ± `width` deviations.
    Puts are summed, calls follow by parity, which keeps wide ranges exact. All arguments broadcast; the characteristic
    function is computed in the shape of years and the model's parameters alone, so a strip of strikes costs it once:
    strikes (n, m), parameters (n, 1). Error about 1e-8 of the spot for years >= 0.25 and usual parameters; shorter
    maturities need more terms. Raises CourseError unless spot, strike, years, v0, mean, speed and vol_of_vol are above
    0 and |rho| < 1.
    """
    _positive("heston", spot=spot, strike=strike, years=years, v0=v0, mean=mean, speed=speed, vol_of_vol=vol_of_vol)
    if np.any(np.abs(rho) >= 1):
        raise CourseError("heston needs |rho| < 1.")
    arguments = (spot, strike, years, v0, mean, speed, vol_of_vol, rho, rate, dividend, call)
    arrays = [np.asarray(a) for a in arguments]
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    if not shape:
        price, delta = _cosine(*(a[None] for a in arrays), terms, width)
        return price[0], delta[0]
    arrays = [a.reshape((1,) * (len(shape) - a.ndim) + a.shape) for a in arrays]
    rows = max(1, 2**16 * shape[0] // (terms * max(1, np.prod(shape, dtype=int))))  # fit a processor's cache
    price, delta = np.empty(shape), np.empty(shape)
    for start in range(0, shape[0], rows):
        part = slice(start, start + rows)
        price[part], delta[part] = _cosine(*(a if a.shape[0] == 1 else a[part] for a in arrays), terms, width)
    return price, delta


def _cosine(spot, strike, years, v0, mean, speed, vol_of_vol, rho, rate, dividend, call, terms, width):
    forward = spot * np.exp((rate - dividend) * years)
    first, second = heston_cumulants(years, v0, mean, speed, vol_of_vol, rho)
    low, high = (first + sign * width * np.sqrt(second) for sign in (-1, 1))
    k = np.arange(terms)
    u = k * np.pi / (high - low)[..., None]
    law = (np.asarray(a)[..., None] for a in (years, v0, mean, speed, vol_of_vol, rho))
    phi = heston_characteristic(u, *law) * np.exp(-1j * u * low[..., None])
    phi = phi.real * np.where(k == 0, 1.0, 2.0) / (high - low)[..., None]
    at = np.clip(np.log(strike / forward), low, high)  # where the put's pay-off ends
    # integrals over low < y < at of cos(u (y - low)) and of e^y cos(u (y - low))
    angle = u * (at - low)[..., None]
    sine, cosine = np.sin(angle), np.cos(angle)
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = np.where(k == 0, (at - low)[..., None], sine / u)
    curved = (np.exp(at)[..., None] * (cosine + u * sine) - np.exp(low)[..., None]) / (1 + u**2)
    below, share = (phi * flat).sum(axis=-1), (phi * curved).sum(axis=-1)  # P(S_T < K), and E[S_T / F; S_T < K]
    discount, carry = np.exp(-rate * years), np.exp(-dividend * years)
    put = discount * (strike * below - forward * share)
    return np.where(call, put + spot * carry - discount * strike, put), carry * (np.where(call, 1.0, 0.0) - share)


def heston_cumulants(
    years: np.ndarray,
    v0: np.ndarray,
    mean: np.ndarray,
    speed: np.ndarray,
    vol_of_vol: np.ndarray,
    rho: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of ln(S_T / F) in Heston's model, the derivatives of its log characteristic function at 0.

    As in Fang and Oosterlee (2008, Table 11), but for 4 e^(-kt) - 5, where code after that table has 6 e^(-kt) - 7.
    """
    k, n, t = speed, vol_of_vol, years
    fade = np.exp(-k * t)
    first = (1 - fade) * (mean - v0) / (2 * k) - mean * t / 2
    second = (
        n * t * k * fade * (v0 - mean) * (8 * k * rho - 4 * n)
        + k * rho * n * (1 - fade) * (16 * mean - 8 * v0)
        + 2 * mean * k * t * (-4 * k * rho * n + n**2 + 4 * k**2)
        + n**2 * ((mean - 2 * v0) * fade**2 + mean * (4 * fade - 5) + 2 * v0)
        + 8 * k**2 * (v0 - mean) * (1 - fade)
    ) / (8 * k**3)
    return first, second


def _positive(name: str, **values: np.ndarray) -> None:
    for argument, value in values.items():
        if not np.all(np.greater(value, 0)):
            raise CourseError(f"{name} needs {argument} above 0 (and no missing values).")
