"""Loan offers at rates that followed demand, were drawn at random, or moved with a cost; the best rate is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import CourseError

FIELDS = ("income", "debt", "score", "tenure", "visits", "online", "compared", "postcode")
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_OLDER, _ONLINE, _SCORE = 0.3, 0.3, 0.4  # share of older clients; what going online, being older add to appetite, score


@dataclass(frozen=True)
class LoanOffers:
    """Offers of one-year loans, what became of them, and the truth behind it; rates and margins in percent a year.

    frame: a row an offer, columns of FIELDS, older (0/1), week, cost (of funding in that week), rate, trial (was the
    rate drawn at random?), accepted (0/1), default (0/1, NaN where not accepted). The truth by client: at a margin of 0
    the log-odds of acceptance are `appetite`, each point of margin takes `sensitivity` off, and default has log-odds
    `risk`; the unrecorded `need`, standard normal, adds `hidden` times itself to the first and `selection` times
    itself to the last. Funding costs `funding` percent, a default `loss` percent of the loan.
    """

    frame: pd.DataFrame
    appetite: np.ndarray
    sensitivity: np.ndarray
    risk: np.ndarray
    need: np.ndarray
    hidden: float
    selection: float
    funding: float
    loss: float

    @property
    def break_even(self) -> np.ndarray:
        """Rate at which a loan to this client neither earns nor loses, were everyone with these fields to accept."""
        chance = 1 / (1 + np.exp(-self._risk())) @ _WEIGHTS / _WEIGHTS.sum()
        return (self.funding + self.loss * chance) / (1 - chance)

    def judge(self, rate: np.ndarray, *, needs_seen: bool = False) -> dict[str, np.ndarray]:
        """What each client's offer at `rate` (n,) or (n, choices) is expected to bring, the recorded fields given.

        Need is averaged out; with `needs_seen` each client's own counts, as it must where the rate followed it.

        accepted: probability; default: probability among those who accept; profit: percent of the loan, 0 where
        refused; surplus: the client's, in percent of the loan, the logsum over the sensitivity (Small and Rosen 1981,
        Econometrica 49), against no offer at all.
        """
        rate = np.asarray(rate, float)
        wide = rate.reshape(len(rate), -1)
        margin, slope = wide - self.break_even[:, None], self.sensitivity[:, None]
        total = {name: np.zeros_like(wide) for name in ("accepted", "default", "profit", "surplus")}
        nodes = zip(_NODES, _WEIGHTS / _WEIGHTS.sum(), strict=True)
        for node, weight in [(self.need[:, None], 1.0)] if needs_seen else nodes:
            utility = self.appetite[:, None] - slope * margin + self.hidden * node
            accepts = 1 / (1 + np.exp(-utility))
            chance = 1 / (1 + np.exp(-self.risk[:, None] - self.selection * node))
            total["accepted"] += weight * accepts
            total["default"] += weight * accepts * chance
            total["profit"] += weight * accepts * ((1 - chance) * wide - chance * self.loss - self.funding)
            total["surplus"] += weight * np.logaddexp(0, utility) / slope
        total["default"] /= total["accepted"]
        return {name: values.reshape(rate.shape) for name, values in total.items()}

    def best_rate(self) -> np.ndarray:
        """The rate that earns most from each client, the recorded fields given: golden section to 1e-6."""
        golden, zero = (np.sqrt(5) - 1) / 2, self.break_even
        low, high = zero - 2, zero + 40
        for _ in range(40):
            one, two = high - golden * (high - low), low + golden * (high - low)
            left = self.judge(one)["profit"] > self.judge(two)["profit"]
            low, high = np.where(left, low, one), np.where(left, two, high)
        return (low + high) / 2

    def best_blind_margin(self, margins: np.ndarray) -> np.ndarray:
        """Of `margins` (k,) the one (n,) that earns most from each client when only income, debt and score are known.

        How a client shops is averaged out: over these clients, older and younger mixed as the score makes likely.
        Default plays no part: with `selection` 0 it is a factor of the profit. Error of the tables about 0.1 points.
        """
        older, online = self.frame["older"].to_numpy(bool), self.frame["online"].to_numpy()
        base, score = self.appetite - _ONLINE * online, self.frame["score"].to_numpy()
        nodes, weights = np.polynomial.hermite_e.hermegauss(7)
        levels = np.linspace(base.min(), base.max(), 40)
        odds = np.log(_OLDER / (1 - _OLDER)) + _SCORE * (score - _SCORE / 2 + _OLDER * _SCORE)
        chance, accepted = 1 / (1 + np.exp(-odds)), 0
        place = (base - levels[0]) / (levels[1] - levels[0])
        left = np.minimum(place.astype(int), len(levels) - 2)
        for group, share in ((older, chance), (~older, 1 - chance)):
            who = np.flatnonzero(group)[:800]
            known = _ONLINE * online[who, None] - self.sensitivity[who, None] * margins
            table = np.zeros((len(levels), len(margins)))
            for node, weight in zip(self.hidden * nodes, weights / weights.sum(), strict=True):
                table += weight * (1 / (1 + np.exp(-known - levels[:, None, None] - node))).mean(axis=1)
            between = table[left] + (place - left)[:, None] * (table[left + 1] - table[left])
            accepted = accepted + share[:, None] * between
        return margins[(margins * accepted).argmax(axis=1)]

    def _risk(self) -> np.ndarray:
        return self.risk[:, None] + self.selection * _NODES


def loan_offers(
    n: int,
    *,
    trial: float = 0.0,
    hidden: float = 0.6,
    follows: float = 0.5,
    leak: float = 0.0,
    selection: float = 0.0,
    varied: float = 1.0,
    weeks: int = 156,
    seed: int = 7,
) -> LoanOffers:
    """Clients who asked for a loan over some weeks, what officers offered and what they answered.

    An officer adds to a client's break-even rate a margin that moves with the week's funding cost, by whim, and, by
    `follows` points for a unit, with the client's need, which no column holds but which raises the log-odds of
    acceptance by `hidden`. For the share `trial` of the offers the margin is drawn evenly from 0 to 10 points instead.
    `leak` adds that much to the log-odds for a point of funding cost (rivals' rates rise too), which spoils the cost as
    an instrument. `varied` stretches how sensitivities differ: with 0 all clients have the same. Older clients
    go online and compare less, have been clients longer and have somewhat better scores; age itself does nothing else.
    Raises CourseError for sizes below 1, a share outside 0 … 1, negative weights.
    """
    if min(n, weeks) < 1 or not 0 <= trial <= 1 or min(hidden, follows, varied) < 0:
        raise CourseError("loan_offers needs clients and weeks, a trial share from 0 to 1 and weights of at least 0.")
    rng = np.random.default_rng(seed)
    older = rng.random(n) < _OLDER
    online = rng.random(n) < np.where(older, 0.35, 0.8)
    compared = rng.random(n) < np.where(online, np.where(older, 0.3, 0.5), 0.1)
    income, debt, visits, postcode, need, whim = rng.standard_normal((6, n))
    score = _SCORE * (older - _OLDER) + rng.standard_normal(n)
    tenure = rng.gamma(np.where(older, 3.0, 1.5), 4.0)
    shops = -1.6 + 2.0 * compared + 1.6 * online * visits + 0.6 * online - 0.04 * (tenure - 7)
    sensitivity = np.exp(-1.0 + varied * (1.5 / (1 + np.exp(-shops)) - 0.6))
    appetite = 1.4 + 0.4 * debt - 0.3 * income + _ONLINE * online - 0.15 * score + 0.2 * (debt**2 - 1) / 2**0.5
    risk = -2.8 - 0.45 * score - 0.2 * income + 0.3 * debt
    shock = np.zeros(weeks)
    for week, news in enumerate(rng.standard_normal(weeks)):
        shock[week] = 0.8 * shock[week - 1] + 0.6 * news if week else news
    week = rng.integers(0, weeks, n)
    usual = 4.5 - 0.8 * compared + 0.03 * (tenure - 7) + 0.2 * debt
    margin = usual + follows * need + 0.8 * shock[week] + 0.5 * whim
    drawn = rng.random(n) < trial
    margin = np.where(drawn, 10 * rng.random(n), margin)
    world = LoanOffers(pd.DataFrame(), appetite, sensitivity, risk, need, hidden, selection, 3.0, 60.0)
    utility = appetite - sensitivity * margin + hidden * need + leak * shock[week]
    accepted = rng.random(n) < 1 / (1 + np.exp(-utility))
    failed = rng.random(n) < 1 / (1 + np.exp(-risk - selection * need))
    columns = (income, debt, score, tenure, visits, online.astype(int), compared.astype(int), postcode)
    frame = pd.DataFrame(dict(zip(FIELDS, columns, strict=True)))
    frame["older"], frame["week"], frame["cost"] = older.astype(int), week, 3.0 + shock[week]
    frame["rate"], frame["trial"] = world.break_even + margin, drawn.astype(int)
    frame["accepted"] = accepted.astype(int)
    frame["default"] = np.where(accepted, failed.astype(float), np.nan)
    return LoanOffers(frame, appetite, sensitivity, risk, need, hidden, selection, 3.0, 60.0)
