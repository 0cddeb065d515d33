"""Seeded worlds whose best possible answer is known, so that a model can be told what share of it it found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import CourseError


@dataclass(frozen=True)
class World:
    """A simulated series and the truth behind it.

    values (n,): what a model sees; best (n,): the best forecast of `target` made one step before (the conditional
    mean); target (n,): what is to be forecast; best_r2: the R² of `best` in the population, in [0, 1].
    """

    values: np.ndarray
    target: np.ndarray
    best: np.ndarray
    best_r2: float


def gbm(
    paths: int,
    steps: int,
    *,
    mu: float = 0.05,
    sigma: float = 0.2,
    years: float = 1.0,
    start: float = 100.0,
    seed: int = 7,
) -> np.ndarray:
    """Geometric Brownian motion, exact in distribution; prices (paths, steps + 1), first column `start`.

    mu and sigma are yearly, in log terms dS/S = mu dt + sigma dW (Hull, Options, Futures, and Other Derivatives, ch.
    15). Nothing beyond its drift can be forecast. Raises CourseError for non-positive sizes or a negative sigma.
    """
    if min(paths, steps) < 1 or years <= 0 or start <= 0 or sigma < 0:
        raise CourseError("gbm needs at least one path and step, positive years and start, and sigma of at least 0.")
    dt = years / steps
    shocks = np.random.default_rng(seed).standard_normal((paths, steps))
    log_returns = (mu - sigma**2 / 2) * dt + sigma * np.sqrt(dt) * shocks
    return start * np.exp(np.concatenate([np.zeros((paths, 1)), log_returns.cumsum(axis=1)], axis=1))


def ar1(n: int, *, phi: float = 0.1, sigma: float = 0.01, seed: int = 7) -> World:
    """A stationary AR(1), r_t = phi r_{t-1} + sigma e_t, whose best R² is phi² (Hamilton 1994, ch. 3 and 4).

    Returns and targets are the same series; best[t] = phi r_{t-1}. Raises CourseError unless |phi| < 1.
    """
    if not -1 < phi < 1:
        raise CourseError(f"phi is {phi}; an AR(1) is stationary only for -1 < phi < 1.")
    from scipy.signal import lfilter

    shocks = sigma * np.random.default_rng(seed).standard_normal(n + 1)
    shocks[0] /= np.sqrt(1 - phi**2)  # start in the stationary distribution
    r = lfilter([1.0], [1.0, -phi], shocks)
    return World(r[1:], r[1:], phi * r[:-1], phi**2)


def garch11(
    n: int, *, omega: float = 2e-6, alpha: float = 0.08, beta: float = 0.90, seed: int = 7, burn: int = 1000
) -> World:
    """GARCH(1,1) with normal shocks: r_t = sqrt(h_t) e_t, h_t = omega + alpha r²_{t-1} + beta h_{t-1} (Bollerslev
    1986).

    The target is r², its best forecast h; the best R² in the population is alpha² / (1 - 2 alpha beta - beta²)
    (from the ARMA(1,1) form of r²; Andersen and Bollerslev 1998, International Economic Review 39, eq. 8). Raises
    CourseError unless the fourth moment exists: 3 alpha² + 2 alpha beta + beta² < 1.
    """
    if min(omega, alpha, beta) < 0 or omega == 0 or 3 * alpha**2 + 2 * alpha * beta + beta**2 >= 1:
        raise CourseError("garch11 needs omega > 0, alpha, beta >= 0 and 3 alpha² + 2 alpha beta + beta² < 1.")
    shocks = np.random.default_rng(seed).standard_normal(n + burn)
    # h_t = omega + (alpha e²_{t-1} + beta) h_{t-1} is linear in h: a recurrence with known factors
    factor = np.square(shocks[:-1])
    factor *= alpha
    factor += beta
    h = _recurrence(factor, omega, omega / (1 - alpha - beta))
    r = np.sqrt(h)
    r *= shocks
    r, h = r[burn:], h[burn:]
    return World(r, r**2, h, alpha**2 / (1 - 2 * alpha * beta - beta**2))


def _recurrence(factor: np.ndarray, constant: float, first: float, width: int = 128) -> np.ndarray:
    """h_0 = first, h_t = constant + factor_{t-1} h_{t-1}; shape (len(factor) + 1,).

    Stretches of `width` steps are run side by side from zero and from one; a short loop joins them.
    """
    width = max(1, min(width, len(factor)))
    rows, full = -(-len(factor) // width), len(factor) // width
    gain = np.zeros((width, rows))
    gain[:, :full] = factor[: full * width].reshape(full, width).T
    gain[: len(factor) - full * width, full:] = factor[full * width :, None]
    level = np.empty_like(gain)
    level[:1] = constant
    for step in range(1, width):  # all stretches take the step together
        np.multiply(gain[step], level[step - 1], out=level[step])
        level[step] += constant
        gain[step] *= gain[step - 1]
    starts = np.empty(rows)
    start = first
    for row, (plus, times) in enumerate(zip(level[-1].tolist(), gain[-1].tolist(), strict=True)):
        starts[row] = start
        start = plus + times * start
    gain *= starts
    level += gain
    h = np.empty(1 + rows * width)
    h[0] = first
    h[1:].reshape(rows, width)[:] = level.T
    return h[: len(factor) + 1]


def ohlc(world: World, *, start: float = 100.0, intraday: int = 78, seed: int = 7) -> pd.DataFrame:
    """Open, high, low and close of days whose close-to-close log returns are `world.values`.

    Within a day the price is a Brownian bridge of `intraday` steps with the day's own variance `world.best` (daily),
    so that range-based estimators see what they assume. Open equals the previous close. Index: business days from 2000.
    """
    n = len(world.values)
    path = np.random.default_rng(seed).standard_normal((n, intraday)).cumsum(axis=1)
    path /= np.sqrt(intraday)
    time = np.arange(1, intraday + 1) / intraday
    path -= time * path[:, -1:]  # a bridge from 0 to 0
    path *= np.sqrt(world.best)[:, None]
    path += time * world.values[:, None]
    close = np.log(start) + world.values.cumsum()
    day_open = np.concatenate([[np.log(start)], close[:-1]])
    frame = {  # rounding must not put a close above its day's high
        "open": day_open,
        "high": np.maximum(day_open + path.max(axis=1, initial=0), close),
        "low": np.minimum(day_open + path.min(axis=1, initial=0), close),
        "close": close,
    }
    return pd.DataFrame(
        {name: np.exp(values) for name, values in frame.items()},
        index=pd.bdate_range("2000-01-03", periods=n, name="date"),
    )


def loan_applicants(n: int, *, hidden: float = 1.0, seed: int = 7) -> pd.DataFrame:
    """Loan applicants of whom a past policy accepted about half, with the outcome of everyone, refused or not.

    Columns: income and debt (standard normal, recorded), accepted (0/1), default (0/1), chance (the true probability of
    default). The policy and the outcome both also depend, with weight `hidden`, on an impression that no column holds:
    with 0 the refused are missing at random given the recorded columns, else not (Hand and Henley 1993, Can reject
    inference ever work?, IMA Journal of Mathematics Applied in Business and Industry 5). Raises CourseError for n
    below 1 or a negative weight.
    """
    if n < 1 or hidden < 0:
        raise CourseError("loan_applicants needs at least one applicant and a hidden weight of at least 0.")
    rng = np.random.default_rng(seed)
    income, debt, impression, whim = rng.standard_normal((4, n))
    quality = 0.9 * income - 0.7 * debt + hidden * impression
    chance = 1 / (1 + np.exp(1.4 + quality))
    return pd.DataFrame(
        {
            "income": income,
            "debt": debt,
            "accepted": (quality + 0.7 * whim > 0).astype(int),
            "default": (rng.random(n) < chance).astype(int),
            "chance": chance,
        }
    )


DAY = 86_400  # seconds
KINDS = ("none", "large amount", "terminal", "card", "burst")  # of fraud; `kind` in the transactions counts from 0


@dataclass(frozen=True)
class Payments:
    """A simulated card business and the truth behind it.

    transactions: one row a payment, oldest first; columns time (s from the start), day, customer, terminal, amount,
    fraud (0 or 1), kind (place in KINDS; the truth, no model may see it), label_day (the day on which a team knows
    `fraud`). customers: x, y, mean_amount, daily (payments a day); terminals: x, y; both indexed by their number.
    campaigns: what was compromised when; columns kind, target (a terminal or a customer), onset, end (days, end not
    included).
    """

    transactions: pd.DataFrame
    customers: pd.DataFrame
    terminals: pd.DataFrame
    campaigns: pd.DataFrame


def payments(
    customers: int = 5_000,
    terminals: int = 10_000,
    days: int = 183,
    *,
    delay: int = 7,
    bursts: tuple[int, int] | None = None,
    seed: int = 7,
) -> Payments:
    """A payments world in the manner of the Fraud-Detection-Handbook's (Le Borgne, Siblini, Lebichot and Bontempi
    2022, ch. 3), whose sizes are the defaults: about 1.75 million payments, 0.84 % of them fraudulent.

    Customers live on a 100 x 100 map, pay Poisson(daily) times a day, daily ~ U(0, 4), around noon, amounts
    N(m, m/2) with m ~ U(5, 100), at a random terminal within 5 of their home. Fraud: (1) every amount above 220;
    (2) each day 2 terminals in 10,000 are compromised: all they take for 28 days is fraud; (3) each day 3 customers in
    5,000: for 14 days one payment in three is fraud, its amount times five; (4) only with bursts=(onset, end), from
    day `onset` to `end`: each day 6 customers in 5,000 suffer 4 to 8 payments of 1 to 10 within the hour. Labels
    arrive `delay` days later. Raises CourseError for sizes below 1, or bursts outside of the days.
    """
    onset, end = (0, 0) if bursts is None else bursts
    if min(customers, terminals, days) < 1 or delay < 0 or not 0 <= onset <= end <= days:
        raise CourseError("payments needs sizes of at least 1, a delay of at least 0, and bursts (onset, end) in days.")
    rng = np.random.default_rng(seed)
    people = pd.DataFrame(rng.uniform(0, 100, (customers, 2)), columns=["x", "y"])
    people["mean_amount"], people["daily"] = rng.uniform(5, 100, customers), rng.uniform(0, 4, customers)
    shops = pd.DataFrame(rng.uniform(0, 100, (terminals, 2)), columns=["x", "y"])
    near, first = _near(people[["x", "y"]].to_numpy(), shops.to_numpy(), radius=5.0)

    count = rng.poisson(people["daily"].to_numpy(), (days, customers))
    count[:, np.diff(first) == 0] = 0  # nobody to pay
    day = np.repeat(np.arange(days, dtype=np.int32), count.sum(axis=1))
    who = np.repeat(np.tile(np.arange(customers, dtype=np.int32), days), count.ravel())
    clock = rng.normal(DAY / 2, 20_000, len(who))
    awake = (clock > 0) & (clock < DAY)
    day, who, clock = day[awake], who[awake], clock[awake]
    mean = people["mean_amount"].to_numpy()[who]
    amount = rng.normal(mean, mean / 2)
    amount = np.where(amount < 0, rng.uniform(0, 2 * mean), amount).round(2)

    hit, hit_days = _campaigns(rng, days, 2e-4, terminals, 28)
    stolen, stolen_days = _campaigns(rng, days, 6e-4, customers, 14)
    where = _somewhere(rng, near, first, who)
    kind = np.where(amount > 220, 1, 0).astype(np.int8)
    kind[hit_days[where, day]] = 2
    misused = stolen_days[who, day] & (rng.random(len(who)) < 1 / 3)
    kind[misused] = 3
    amount[misused] = (5 * amount[misused]).round(2)

    seconds, burst = day * np.int64(DAY) + clock.astype(np.int64), _campaigns(rng, days, 12e-4, customers, 1)[0]
    burst = burst[(burst["onset"] >= onset) & (burst["onset"] < end) & (np.diff(first)[burst["target"]] > 0)]
    extra = np.repeat(np.arange(len(burst)), rng.integers(4, 9, len(burst)))
    began = rng.uniform(0, DAY - 3600, len(burst))[extra] + rng.uniform(0, 3600, len(extra))
    victim = burst["target"].to_numpy(np.int32)[extra]
    burst_day = burst["onset"].to_numpy(np.int32)[extra]
    parts = {
        "time": (seconds, burst_day * np.int64(DAY) + began.astype(np.int64)),
        "day": (day, burst_day),
        "customer": (who, victim),
        "terminal": (where, _somewhere(rng, near, first, victim)),
        "amount": (amount, rng.uniform(1, 10, len(extra)).round(2)),
        "kind": (kind, np.full(len(extra), 4, dtype=np.int8)),
    }
    columns = {name: np.concatenate(pair) for name, pair in parts.items()}
    order = _order(columns["time"])
    frame = pd.DataFrame({name: values[order] for name, values in columns.items()}, copy=False)
    frame.insert(5, "fraud", (frame["kind"] > 0).astype(np.int8))
    frame["label_day"] = frame["day"] + np.int32(delay)
    known = {2: hit, 3: stolen, 4: burst}
    campaigns = pd.concat([part.assign(kind=k) for k, part in known.items()], ignore_index=True)
    return Payments(frame, people, shops, campaigns[["kind", "target", "onset", "end"]])


def _order(time: np.ndarray) -> np.ndarray:
    """A stable argsort of whole numbers from 0, digit by digit: NumPy sorts 16 bits by radix, four times as fast."""
    order = np.argsort(time.astype(np.uint16), kind="stable")
    for shift in range(16, int(time.max(initial=0)).bit_length(), 16):
        order = order[np.argsort((time >> shift).astype(np.uint16)[order], kind="stable")]
    return order


def _near(homes: np.ndarray, places: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """The places within `radius` of each home, one home after another, and where each home's part begins."""
    from scipy.spatial import cKDTree

    lists = cKDTree(places).query_ball_point(homes, radius, return_sorted=True)
    first = np.concatenate([[0], np.cumsum([len(part) for part in lists])])
    return np.concatenate([np.asarray(part, dtype=np.int32) for part in lists]), first


def _somewhere(rng: np.random.Generator, near: np.ndarray, first: np.ndarray, who: np.ndarray) -> np.ndarray:
    """For each payer one of the places near home, all equally likely."""
    return near[first[who] + (rng.random(len(who)) * np.diff(first)[who]).astype(np.int64)]


def _campaigns(
    rng: np.random.Generator, days: int, rate: float, targets: int, length: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Each day rate x targets of them (rounded up or down by chance) for `length` days; also as (targets, days)."""
    starts = np.repeat(np.arange(days), np.floor(rate * targets + rng.random(days) - 1e-9).astype(int))
    table = pd.DataFrame({"target": rng.integers(0, targets, len(starts)), "onset": starts, "end": starts + length})
    active = np.zeros((targets, days + length), dtype=bool)
    for k in range(length):
        active[table["target"], table["onset"] + k] = True
    return table, active[:, :days]
