"""Worlds whose causes are known: effects, chances and interventions against closed forms."""

import numpy as np
import pytest
from scipy.special import logit

from helpers import worlds
from helpers.errors import CourseError


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95])
def test_effects_have_mean_zero_and_add_up_to_the_log_odds(correlation):
    world = worlds.known_causes(60_000, correlation=correlation, law=3)
    assert np.abs(world.effects.mean(axis=0)).max() < 0.02
    np.testing.assert_allclose(logit(world.chance), world.log_odds(world.x), atol=1e-9)
    assert world.default.mean() == pytest.approx(world.chance.mean(), abs=0.006)
    np.testing.assert_allclose(np.cov(world.x.T), world.covariance, atol=0.03)
    assert (np.sort(world.covariance, axis=1)[:, -2] == correlation).all()  # each field has one twin
    assert (np.abs(world.effects).max(axis=0) == 0).sum() == 1  # one bystander


def test_an_effect_is_what_that_field_alone_moves_the_log_odds_by():
    world, other = (worlds.known_causes(5_000, correlation=0.8, law=4, seed=k) for k in (1, 2))
    for j in range(6):
        moved = world.x.copy()
        moved[:, j] = other.x[:, j]
        gap = world.log_odds(world.x) - world.log_odds(moved)
        np.testing.assert_allclose(gap, world.effects[:, j] - other.effects[:, j], atol=1e-9)


def test_a_law_stays_when_the_applicants_change():
    one, other = (worlds.known_causes(50, law=9, seed=k) for k in (1, 2))
    np.testing.assert_allclose(one.log_odds(other.x), other.log_odds(other.x))
    assert not np.allclose(one.x, other.x)
    assert not np.allclose(worlds.known_causes(50, law=10, seed=1).log_odds(one.x), one.log_odds(one.x))


def test_a_change_moves_what_it_causes_and_nothing_else():
    world = worlds.borrowers(3_000, symptom=2.0, seed=5)
    rows, before = np.arange(500), world.frame.iloc[:500]
    np.testing.assert_allclose(world.act(rows)["chance"], before["chance"])
    fewer = world.act(rows, reminders=np.full(500, -2.0))
    np.testing.assert_allclose(fewer["chance"], before["chance"])
    np.testing.assert_allclose(fewer["reminders"], before["reminders"] - 2)
    less = world.act(rows, debt=np.full(500, -1.0))
    np.testing.assert_allclose(logit(less["chance"]), logit(before["chance"]) - 0.6)
    assert less[["income", "savings", "reminders"]].equals(before[["income", "savings", "reminders"]])
    more = world.act(rows, savings=np.ones(500))
    np.testing.assert_allclose(more["debt"], before["debt"] - 0.5)
    np.testing.assert_allclose(logit(more["chance"]), logit(before["chance"]) - 0.5 - 0.6 * 0.5)


def test_reminders_tell_of_default_only_where_they_show_thrift():
    tells = [
        np.corrcoef(world.frame["reminders"], world.frame["chance"])[0, 1]
        for world in (worlds.borrowers(20_000, symptom=s, seed=2) for s in (0.0, 2.0))
    ]
    assert abs(tells[0]) < 0.03 and tells[1] > 0.4


def test_what_cannot_be_is_refused():
    with pytest.raises(CourseError, match="correlation"):
        worlds.known_causes(10, correlation=1.0)
    with pytest.raises(CourseError, match="symptom"):
        worlds.borrowers(10, symptom=-1)
    with pytest.raises(CourseError, match="thrift"):
        worlds.borrowers(10).act(np.arange(3), thrift=np.ones(3))
