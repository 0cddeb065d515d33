"""Offers of a bank to its clients: who would take what is known, and a log shows only what the bank had offered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import CourseError


@dataclass(frozen=True)
class Offers:
    """What clients would take, what they were shown, and what they took; arrays (clients, products) unless stated.

    chance: probability that the client takes the product when shown it; nobody takes what is not shown;
    exposure: probability that it is shown in one log; shown, taken: the past log; shown_later, taken_later: a second
    one, drawn alike and independently, without what was taken in the past; traits (clients, 4) and features
    (products, 4): what the bank knows of both; tolerance (clients,) and risk (products,): classes 1 … 5.
    """

    chance: np.ndarray
    exposure: np.ndarray
    shown: np.ndarray
    taken: np.ndarray
    shown_later: np.ndarray
    taken_later: np.ndarray
    traits: np.ndarray
    features: np.ndarray
    tolerance: np.ndarray
    risk: np.ndarray

    @property
    def suitable(self) -> np.ndarray:
        """True where the product's risk class does not exceed the client's tolerance."""
        return self.risk <= self.tolerance[:, None]

    def lists(self, score: np.ndarray, k: int = 5, allowed: np.ndarray | None = None) -> np.ndarray:
        """True for the `k` products of highest score of each client, among those `allowed` and not yet taken.

        A client with fewer such products gets a shorter list.
        """
        open_ = ~self.taken if allowed is None else ~self.taken & allowed
        score = np.where(open_, score, -np.inf)
        chosen = np.zeros(score.shape, bool)
        np.put_along_axis(chosen, np.argsort(-score, axis=1, kind="stable")[:, :k], True, axis=1)
        return chosen & open_

    def value(self, lists: np.ndarray) -> float:
        """Expected number of products that a client takes from the list shown: mean over clients, exact."""
        return float((self.chance * lists).sum(axis=1).mean())


def product_offers(
    clients: int,
    products: int = 60,
    *,
    slots: float = 12.0,
    push: float = 1.0,
    explore: float = 0.0,
    appetite: float = 0.3,
    seed: int = 7,
) -> Offers:
    """Clients and products in four hidden dimensions, offered by a bank that pushes some products and not others.

    Log-odds of taking: the product's own appeal plus the inner product of client and product, about one offer in nine
    being taken. A product is shown with probability proportional to exp(push · z), z standard normal and independent
    of what clients want, cut at 0.95; on average `slots` products a client; the part `explore` of the slots goes to
    products drawn evenly. Traits and features show the hidden dimensions with noise. Products of higher risk class
    appeal more, by `appetite` a class. Independent exposure with known probability is what inverse-propensity scoring
    rests on (Schnabel et al. 2016, arXiv:1602.05352). Raises CourseError for sizes below 1 or shares outside 0 … 1.
    """
    if min(clients, products) < 1 or not 0 < slots <= products or not 0 <= explore <= 1 or push < 0:
        raise CourseError("product_offers needs positive sizes, slots of at most products, push ≥ 0, 0 ≤ explore ≤ 1.")
    rng = np.random.default_rng(seed)
    client, product = rng.standard_normal((clients, 4)), rng.standard_normal((products, 4))
    tolerance, risk = rng.integers(1, 6, clients), rng.permutation(1 + np.arange(products) % 5)
    appeal = -2.6 + 0.5 * rng.standard_normal(products) + appetite * (risk - 3)
    chance = 1 / (1 + np.exp(-(appeal + 0.5 * client @ product.T)))
    weight = np.exp(push * rng.standard_normal(products))
    pushed = _shares(weight, slots)
    exposure = np.broadcast_to((1 - explore) * pushed + explore * slots / products, chance.shape)
    shown, later = (rng.random(chance.shape) < exposure for _ in range(2))
    taken = shown & (rng.random(chance.shape) < chance)
    later &= ~taken
    taken_later = later & (rng.random(chance.shape) < chance)
    traits = client + 0.5 * rng.standard_normal(client.shape)
    features = product + 0.5 * rng.standard_normal(product.shape)
    return Offers(chance, exposure, shown, taken, later, taken_later, traits, features, tolerance, risk)


def _shares(weight: np.ndarray, slots: float, most: float = 0.95) -> np.ndarray:
    """Probabilities proportional to `weight`, at most `most` each, that sum to `slots` where that is possible."""
    share = np.minimum(slots * weight / weight.sum(), most)
    for _ in range(50):
        free = share < most
        room = slots - share[~free].sum()
        if not free.any() or abs(share.sum() - slots) < 1e-9:
            break
        share[free] = np.minimum(room * weight[free] / weight[free].sum(), most)
    return share
