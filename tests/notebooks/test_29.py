"""Notebook 29: its programme is the best of all policies, its rules hold, and the advisor runs on its own."""

import itertools

import numpy as np
import pytest

from helpers import app, datasets, worlds
from helpers.errors import CourseError

CLIENT = {"wealth": 60_000.0, "saving": 6_000.0, "goal": 250_000.0, "years": 12.0, "reserve": 8.0, "sold": 50.0}
CLIENT |= {"refused": "1/2", "knowledge": "some"}


@pytest.fixture(scope="module")
def lesson():
    return app.lesson()


@pytest.fixture(scope="module")
def law():
    """A few made-up years, the same on real data and on stand-ins."""
    rng = np.random.default_rng(1)
    return np.exp(np.column_stack([0.06 + 0.18 * rng.standard_normal(9), 0.02 + 0.05 * rng.standard_normal(9)]))


def test_no_policy_of_two_years_beats_the_programme(lesson, law):
    plan = lesson["Plan"](0.05, 1.2, 0.5, 3, law, near=0)
    value, shares = lesson["solve"](plan)
    assert np.allclose(lesson["score"](plan, shares), value, atol=2e-3)
    rng = np.random.default_rng(2)
    for _ in range(20):
        other = 1.2 * rng.random(shares.shape)
        assert (lesson["score"](plan, other) <= value + 0.02).all()  # shares between the 21 choices are allowed here
    for choice in itertools.product((0, 10, 20), repeat=3):
        table = plan.choices[list(choice)][:, None, None] * np.ones((3, 2, len(lesson["GRID"])))
        assert (lesson["score"](plan, table) <= value + 1e-3).all()


def test_no_policy_advises_shares_shortly_before_the_goal_or_above_the_cap(lesson, law):
    for years in (1, 2, 3, 6):
        plan = lesson["Plan"](0.05, 0.8, 0.5, years, law)
        value, shares = lesson["solve"](plan)
        assert not shares[:2].any() and shares.max() <= 0.8 and (years < 3 or shares[2].any())
        assert np.allclose(lesson["score"](plan, shares), value, atol=2e-3)
        free = lesson["solve"](lesson["Plan"](0.05, 0.8, 0.5, years, law, near=0))[0]
        assert (free >= value - 1e-6).all() and (free > value + 0.01).any()


def test_more_money_time_and_freedom_never_harm(lesson, law):
    def value(saving=0.04, cap=1.0, habit=0.5, years=6):
        return lesson["solve"](lesson["Plan"](saving, cap, habit, years, law))[0]

    base = value()
    assert (np.diff(base, axis=1) >= -1e-6).all()
    assert (value(saving=0.05) >= base - 1e-6).all()
    assert (value(cap=1.5).max(axis=0) >= base.max(axis=0) - 0.01).all()
    assert (value(habit=0.0)[0] >= base[0] - 0.01).all()


def test_certain_years_give_certain_answers(lesson):
    sure = np.full((5, 2), 1.05)
    plan = lesson["Plan"](0.0, 1.0, 0.0, 10, sure)
    value = lesson["solve"](plan)[0]
    needed = 1.05**-10  # reading between points blurs wealth by a few per cent
    assert lesson["chance"](value, needed * 1.3) > 0.99 and lesson["chance"](value, needed * 0.75) < 0.01


def test_indifference_at_the_tolerance(lesson):
    for cut in (0.1, 0.2, 1 / 3, 0.75):
        power = 1 - 1 / lesson["tolerance"](cut)
        assert (2**power + (1 - cut) ** power) / 2 == pytest.approx(1, abs=1e-9)
    assert lesson["tolerance"](0.5) == pytest.approx(1, abs=1e-3)


def test_each_rule_bounds_the_advice(lesson):
    limits, load = lesson["limits"], lambda **changed: CLIENT | changed
    assert limits(load(years=2))["capacity"] == 0
    assert limits(load(reserve=1))["capacity"] <= limits(load(reserve=4))["capacity"] <= limits(load())["capacity"]
    answers = [limits(load(refused=cut))["tolerance"] for cut in (*lesson["CUTS"], None)]
    assert answers == sorted(answers) and answers[0] < answers[-1] == 1.5
    assert limits(load(knowledge="good"))["knowledge"] == 1.5 and limits(load(knowledge="none"))["knowledge"] == 1


@pytest.mark.parametrize("habit", [0.0, 0.3, 0.9])
def test_a_long_account_shows_the_habit_and_one_without_a_fall_shows_nothing(lesson, habit):
    account = worlds.account_history(20_000, habit=habit, disposition=0.2, seed=4)
    assert lesson["habit_of"](account) == pytest.approx(habit, abs=0.015)
    assert lesson["habit_of"](account[account["fell"] == 0]) is None


def test_the_advice_says_why_and_says_nothing_twice(lesson):
    def words(**changed):
        return " ".join(lesson["advise"](CLIENT | changed))

    assert "less than three years away" in words(years=2) and "did not sell" not in words(years=2)
    assert "With less than three years left" in words() and "comes from your knowledge" in words()
    assert "Saving a quarter more" in words() and "Saving a quarter more" not in words(saving=0)
    assert "In more than 99 of 100" in words(goal=40_000) and "In 100 of" not in words(goal=40_000)
    assert "about 21,000, 32%" in words()  # of wealth and this year's saving, in two digits
    assert "the part above 100% borrowed" in words(knowledge="good", refused=None, goal=1_000_000)


def test_the_advice_is_in_words_and_keeps_to_the_cap(lesson):
    words = lesson["advise"](CLIENT)
    assert all(sentence.endswith(".") for sentence in words) and "share fund" in words[0]
    _, share = lesson["outlook"](lesson["checked"](CLIENT))
    assert 0 <= share <= min(lesson["limits"](CLIENT).values()) + 1e-9
    low, middle, high = lesson["path_of_advice"](lesson["checked"](CLIENT), lives=200)
    assert len(middle) == 12 and (low <= middle).all() and (middle <= high).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"years": 40}, "from 1 to 20"),
        ({"years": 2.5}, "whole number"),
        ({"goal": 0}, "the sum you want"),
        ({"wealth": float("nan")}, "what you have"),
        ({"sold": "half"}, "sold after a fall"),
        ({"reserve": True}, "reserve"),
        ({"refused": "2/3"}, "choose one of"),
        ({"knowledge": ""}, "none, some or good"),
        ({"wealth": 0, "saving": 0}, "no portfolio"),
    ],
)
def test_answers_that_will_not_do(lesson, wrong, message):
    with pytest.raises(CourseError, match=message):
        lesson["advise"](CLIENT | wrong)


def test_without_wealth_saving_alone_is_enough(lesson):
    assert lesson["advise"](CLIENT | {"wealth": 0.0, "saving": 20_000.0})


@pytest.mark.parametrize("sold", [0.0, 50.0])
@pytest.mark.parametrize("years", [1, 2, 3, 20])
def test_a_client_below_the_grid_is_scored_by_this_year_and_not_as_if_on_it(lesson, years, sold):
    client = lesson["checked"](CLIENT | {"wealth": 0.0, "saving": 8_000.0, "years": years, "sold": sold})
    cap, lowest, saving = 1.0, float(lesson["GRID"][0]), 8_000 / 250_000
    reach, share = lesson["outlook"](client, cap=cap)
    later = lesson["solve"](lesson["Plan"](saving, cap, sold / 100, years - 1))[0] if years > 1 else None
    total = 0.0
    for shares, bonds in lesson["LAW"]:
        gross = share * shares + (1 - share) * bonds
        if later is None:
            total += saving * gross >= 1
            continue
        total += np.interp(np.log(saving * gross), np.log(lesson["GRID"]), later[int(gross < lesson["FELL"])])
    assert reach == pytest.approx(total / len(lesson["LAW"]), abs=1e-3)
    on_grid = lesson["outlook"](client, cap=cap, wealth=lowest * client["goal"])[0]
    just_below = lesson["outlook"](client, cap=cap, wealth=0.9999 * lowest * client["goal"])[0]
    assert on_grid == pytest.approx(just_below, abs=0.01)
    if years == 20:
        assert reach < on_grid - 0.01


def test_the_path_of_a_client_without_wealth_begins_at_nothing(lesson):
    client = lesson["checked"](CLIENT | {"wealth": 0.0, "saving": 8_000.0})
    story = lesson["path_of_advice"](client, lives=200)
    assert story[1, 0] < 8_000 / 250_000 * 1.3  # this year's saving and its return, nothing besides


def test_bonds_at_par_with_a_steady_rate_earn_the_rate(lesson):
    frame = datasets.load("shiller_sp500").iloc[:40].assign(consumer_price_index=10.0, long_interest_rate=0.05)
    bonds = lesson["real_returns"](frame)["bonds"]
    assert bonds.to_numpy() == pytest.approx((1.025**2) ** (1 / 12) - 1, abs=1e-12)
