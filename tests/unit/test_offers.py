"""The world of offers: its logs follow its probabilities, its best list is the best, weighting recovers the truth."""

import numpy as np
import pytest

from helpers import worlds
from helpers.errors import CourseError


@pytest.fixture(scope="module")
def bank():
    return worlds.product_offers(4_000, 40, slots=8, seed=3)


def test_logs_follow_exposure_and_chance(bank):
    assert bank.exposure.sum(axis=1) == pytest.approx(8)
    np.testing.assert_allclose(bank.shown.mean(axis=0), bank.exposure[0], atol=0.035)
    assert bank.taken.sum() == pytest.approx((bank.exposure * bank.chance).sum(), rel=0.03)
    assert not (bank.taken & ~bank.shown).any() and not (bank.taken_later & ~bank.shown_later).any()
    assert not (bank.shown_later & bank.taken).any()
    assert 0.08 < bank.chance.mean() < 0.16 and bank.exposure.max() <= 0.95


def test_no_list_beats_the_one_by_chance(bank):
    best = bank.value(bank.lists(bank.chance, 5))
    rng = np.random.default_rng(0)
    assert all(bank.value(bank.lists(bank.chance + rng.normal(0, s, bank.chance.shape), 5)) < best for s in (0.1, 1))
    by_hand = np.sort(np.where(bank.taken, 0, bank.chance), axis=1)[:, -5:].sum(axis=1).mean()
    assert best == pytest.approx(by_hand)


def test_inverse_propensities_recover_the_value(bank):
    lists = bank.lists(bank.features[:, 0] + np.zeros(bank.chance.shape), 5)
    weighted = (bank.taken_later / bank.exposure * lists).sum(axis=1)
    assert weighted.mean() == pytest.approx(bank.value(lists), abs=4 * weighted.std() / len(weighted) ** 0.5)


def test_lists_leave_out_what_is_owned_or_unsuitable(bank):
    lists = bank.lists(bank.chance, 5, bank.suitable)
    assert not (lists & (bank.taken | ~bank.suitable)).any() and lists.sum(axis=1).max() == 5
    assert (bank.risk[np.nonzero(lists)[1]] <= bank.tolerance[np.nonzero(lists)[0]]).all()


def test_without_push_every_product_is_shown_alike():
    even = worlds.product_offers(50, 40, slots=8, push=0.0, seed=3).exposure
    np.testing.assert_allclose(even, 8 / 40)
    half = worlds.product_offers(50, 40, slots=8, explore=0.5, seed=3).exposure
    assert half.min() >= 0.1 and half.sum(axis=1) == pytest.approx(8)


@pytest.mark.parametrize("wrong", [{"clients": 0}, {"slots": 99}, {"explore": 2}, {"push": -1}])
def test_impossible_banks_are_refused(wrong):
    with pytest.raises(CourseError, match="product_offers needs"):
        worlds.product_offers(**{"clients": 9, "products": 20, **wrong})
