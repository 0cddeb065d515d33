"""A card business whose frauds, and the campaigns behind them, are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import CourseError

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
