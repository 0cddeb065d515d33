"""Three sources of known worth: each part is what the raw source says, and the chances are those of the law."""

import numpy as np
import pytest

from helpers import worlds
from helpers.errors import CourseError
from helpers.worlds import sources


@pytest.fixture(scope="module")
def made() -> worlds.Applications:
    return worlds.loan_sources(30_000, seed=3)


def test_parts_are_standardised_and_independent(made):
    np.testing.assert_allclose(made.parts.mean(), 0, atol=0.03)
    np.testing.assert_allclose(made.parts.std(), 1, atol=0.03)
    assert np.abs(made.parts.corr().to_numpy() - np.eye(3)).max() < 0.03


def test_parts_can_be_computed_from_what_a_reader_sees(made):
    """Each part is a straight line of a number taken from the raw source."""
    register = made.register[list(sources.REGISTER)].to_numpy() @ np.array(list(sources.REGISTER.values()))
    before = made.records.merge(made.register[["firm", "applied"]], on="firm")
    before = before[before["month"] < before["applied"]]
    days = before["days_late"].to_numpy().reshape(-1, 12)
    history = (np.log1p(days) * 0.5 ** (np.arange(11, -1, -1) / 3)).sum(axis=1)
    count = lambda words: np.array([sum(w in words for w in letter.split()) for letter in made.letters])  # noqa: E731
    letter = count(set(sources.EVADES)) - count(set(sources.EXPLAINS))
    for name, raw in (("register", register), ("history", history), ("letter", letter)):
        assert abs(np.corrcoef(raw, made.parts[name])[0, 1]) == pytest.approx(1, abs=1e-9)


def test_chances_given_fewer_sources_are_averages_of_the_full_chance(made):
    full = made.chance("register", "history", "letter")
    parts = made.parts.to_numpy()
    log_odds = -2 + parts @ [0.8, 0.6, 0.3] + 0.7 * parts[:, 1] * parts[:, 2]
    np.testing.assert_allclose(full, 1 / (1 + np.exp(-log_odds)))
    for kept in (("history",), ("register", "letter"), ()):
        given = made.chance(*kept)
        edges = np.quantile(given, np.linspace(0, 1, 11))[1:-1]
        for k in range(10 if kept else 1):
            here = np.digitize(given, edges) == k if kept else np.ones(len(given), bool)
            if not here.any():  # firms that never paid late share one chance
                continue
            assert given[here].mean() == pytest.approx(full[here].mean(), abs=0.008)
            assert given[here].mean() == pytest.approx(made.default[here].mean(), abs=0.03)


def test_without_interaction_the_letter_does_not_bend_the_history():
    made = worlds.loan_sources(100, interaction=0.0)
    chance = made.chance(*made.parts)
    fitted = np.c_[np.ones(100), made.parts.to_numpy()]
    left = np.linalg.lstsq(fitted, np.log(chance / (1 - chance)), rcond=None)[1]
    assert left == pytest.approx(0, abs=1e-18)


def test_only_what_comes_after_the_application_knows_the_default(made):
    records = made.records.merge(made.register[["firm", "applied"]], on="firm")
    late = records.groupby(["firm", records["month"] >= records["applied"]])["days_late"].mean().unstack()
    assert late.shape == (30_000, 2)
    known, after = (np.corrcoef(late[k], made.default)[0, 1] for k in (False, True))
    assert after > known + 0.2
    assert (made.records.groupby("firm").size() == 15).all()


def test_the_same_seed_gives_the_same_firms_and_another_one_others():
    one, same, other = (worlds.loan_sources(20, seed=s) for s in (1, 1, 2))
    assert one.records.equals(same.records) and (one.letters == same.letters).all()
    assert not one.parts.equals(other.parts)


def test_impossible_calls_are_refused(made):
    with pytest.raises(CourseError):
        worlds.loan_sources(0)
    with pytest.raises(CourseError, match="gossip is no source"):
        made.chance("gossip")
