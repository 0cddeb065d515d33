"""News with a known time and effect: the mean path by hand, no effect before publication, noise as asked for."""

import numpy as np
import pytest

from helpers import worlds
from helpers.errors import CourseError


def test_the_mean_path_by_a_plain_loop():
    tone = np.random.default_rng(0).integers(-1, 2, 300)
    world = worlds.dated_news(tone, jump=0.02, drift=0.004, seed=3)
    for s, hour, path in zip(tone, world.hour, world.expected, strict=True):
        for auction, price in zip(world.auctions, path, strict=True):
            minutes = np.arange(hour, auction, 1 / 60) % 24
            traded = min(((minutes >= 9.5) & (minutes < 16)).sum() / 60 / 6.5, 1)
            wanted = s * (0.02 + 0.004 * traded) if auction >= hour else 0
            assert price == pytest.approx(wanted, abs=0.004 * 2 / 60 / 6.5)


def test_one_day_after_the_first_auction_the_effect_is_over():
    world = worlds.dated_news(np.ones(2_000), seed=1)
    first, row = np.searchsorted(world.auctions, world.hour), np.arange(2_000)
    assert (world.auctions[first] >= world.hour).all() and first.max() == 3
    after = world.expected[row, first + 2]
    assert np.allclose(after, 0.015) and np.allclose(world.expected[:, -1], after)
    late = world.hour > 16
    assert late.mean() == pytest.approx(0.35, abs=0.04) and (world.expected[late, 2] == 0).all()
    assert np.allclose(world.expected[late, 3], 0.012), "news of the night is in the next opening, drift comes after"


def test_noise_is_as_asked_for_and_independent_of_the_tone():
    tone = np.random.default_rng(1).integers(-1, 2, 40_000)
    world = worlds.dated_news(tone, night=0.01, session=0.02, seed=2)
    steps = np.diff(world.log_price - world.expected, axis=1)
    assert steps[:, 0::2].std() == pytest.approx(0.01, rel=0.02)
    assert steps[:, 1::2].std() == pytest.approx(0.02, rel=0.02)
    assert abs(np.corrcoef(steps.sum(axis=1), tone)[0, 1]) < 0.02
    again = worlds.dated_news(tone, night=0.01, session=0.02, seed=2)
    assert (again.log_price == world.log_price).all()


@pytest.mark.parametrize("wrong", [{"when": (0.5, 0.5, 0.5)}, {"when": (1.0,)}, {"night": -1.0}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(CourseError, match="dated_news needs"):
        worlds.dated_news(np.ones(3), **wrong)
