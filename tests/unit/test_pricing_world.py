"""The world of loan offers: its expectations are the averages of what happens, its best rate is the best."""

import numpy as np
import pytest
from scipy.special import expit, lambertw

from helpers import worlds
from helpers.errors import CourseError


def test_expectations_are_the_averages_of_what_happens():
    """Trial offers have rates that hang on nothing: what they bring, by need of the client, averages to the judge's."""
    world = worlds.loan_offers(200_000, trial=1.0, selection=0.8, seed=3)
    frame, told = world.frame, world.judge(world.frame["rate"].to_numpy())
    accepted, failed = frame["accepted"].to_numpy(), frame["default"].fillna(0).to_numpy()
    brought = accepted * ((1 - failed) * frame["rate"] - failed * world.loss - world.funding)
    for tenth in np.array_split(np.argsort((frame["rate"] - world.break_even).to_numpy()), 5):
        assert accepted[tenth].mean() == pytest.approx(told["accepted"][tenth].mean(), abs=0.01)
        assert failed[tenth].sum() / accepted[tenth].sum() == pytest.approx(
            np.average(told["default"][tenth], weights=told["accepted"][tenth]), abs=0.015
        )
        assert brought[tenth].mean() == pytest.approx(told["profit"][tenth].mean(), abs=0.6)


def test_without_a_hidden_need_the_best_rate_is_the_closed_form():
    world = worlds.loan_offers(500, hidden=0.0, seed=4)
    w = lambertw(np.exp(world.appetite - 1)).real
    best = world.best_rate()
    np.testing.assert_allclose(best - world.break_even, (1 + w) / world.sensitivity, atol=1e-4)
    told = world.judge(best)
    chance = expit(world.risk)
    np.testing.assert_allclose(told["profit"], (1 - chance) * w / world.sensitivity, rtol=1e-8)
    np.testing.assert_allclose(told["surplus"], np.log1p(w) / world.sensitivity, rtol=1e-6)
    np.testing.assert_allclose(told["default"], chance)


def test_no_other_rate_earns_more_and_surplus_falls_by_what_is_accepted():
    world = worlds.loan_offers(300, selection=0.5, seed=5)
    best = world.best_rate()
    near = best[:, None] + np.linspace(-3, 3, 61)
    told = world.judge(near)
    assert (told["profit"].max(axis=1) <= world.judge(best)["profit"] + 1e-9).all()
    slope = (world.judge(best + 1e-4)["surplus"] - world.judge(best - 1e-4)["surplus"]) / 2e-4
    np.testing.assert_allclose(slope, -world.judge(best)["accepted"], atol=1e-5)


def test_rates_follow_the_need_only_where_they_are_not_drawn():
    world = worlds.loan_offers(60_000, trial=0.5, seed=6)
    frame, margin = world.frame, world.frame["rate"].to_numpy() - world.break_even
    told = world.appetite - world.sensitivity * margin
    more = frame["accepted"].to_numpy() - expit(told / np.sqrt(1 + 0.346 * world.hidden**2))
    drawn = frame["trial"].to_numpy() == 1
    assert abs(np.corrcoef(more[drawn], margin[drawn])[0, 1]) < 0.02
    assert np.corrcoef(more[~drawn], margin[~drawn])[0, 1] > 0.1
    assert np.corrcoef(frame["cost"][~drawn], margin[~drawn])[0, 1] > 0.3
    same = worlds.loan_offers(1_000, varied=0.0, seed=6)
    assert np.ptp(same.sensitivity) < 1e-12


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 5, "trial": 2.0}, {"n": 5, "hidden": -1.0}, {"n": 5, "weeks": 0}])
def test_impossible_offers_are_refused(wrong):
    with pytest.raises(CourseError, match="loan_offers needs"):
        worlds.loan_offers(**wrong)


def test_officers_rates_bring_more_when_each_clients_own_need_counts():
    """Averaged over many clients, own needs at drawn rates give the same; officers followed need, so theirs gain."""
    world = worlds.loan_offers(100_000, trial=0.5, seed=8)
    rate, drawn = world.frame["rate"].to_numpy(), world.frame["trial"].to_numpy() == 1
    gain = world.judge(rate, needs_seen=True)["profit"] - world.judge(rate)["profit"]
    assert abs(gain[drawn].mean()) < 0.02 < gain[~drawn].mean()


def test_the_best_blind_margin_is_the_best_of_clients_alike_in_what_is_known():
    """Many clients of about one income, debt and score: no single margin for them earns more."""
    world, margins = worlds.loan_offers(40_000, seed=9), np.linspace(0.25, 10, 40)
    known = world.frame[["income", "debt", "score"]] - [0.0, 0.5, 1.0]
    near = (known.abs().max(axis=1) < 0.5).to_numpy()
    earned = (margins * world.judge(world.break_even[:, None] + margins)["accepted"])[near].mean(axis=0)
    theirs = world.best_blind_margin(margins)[near]
    assert near.sum() > 1_000 and theirs.mean() == pytest.approx(margins[earned.argmax()], abs=0.3)
