"""The cluster's law: Amdahl's where nothing else is added, Graham's bounds, and what chatter and stragglers cost."""

import numpy as np
import pytest

from helpers import worlds
from helpers.errors import CourseError


@pytest.mark.parametrize(("tasks", "workers"), [(8, 1), (8, 2), (512, 64)])
def test_without_chatter_and_stragglers_amdahl_is_exact(tasks, workers):
    made = worlds.cluster_runs(tasks, workers, 3, serial=2, collect=0.02, task=1.5, noise=0, seed=1)
    np.testing.assert_allclose(made.seconds, 2 + 0.02 * tasks + 1.5 * tasks / workers)
    np.testing.assert_allclose(made.spans, 1.5 * tasks / workers)


def test_one_task_more_than_workers_takes_a_second_round():
    assert worlds.cluster_runs(5, 4, 1, serial=0, collect=0, noise=0).seconds[0] == pytest.approx(2)


def test_chatter_counts_workers_and_stragglers_are_as_many_and_as_slow_as_told():
    quiet, loud = (worlds.cluster_runs(64, 8, 5, chatter=c, noise=0, seed=2).seconds for c in (0, 0.5))
    np.testing.assert_allclose(loud - quiet, 4)
    made = worlds.cluster_runs(1_000, 4, 50, stragglers=0.02, slow=7, noise=0, seed=3)
    assert set(np.unique(made.durations)) == {1.0, 7.0}
    assert (made.durations > 1).mean() == pytest.approx(0.02, abs=0.002)


def test_spans_are_those_of_handing_out_one_by_one_and_keep_grahams_bounds():
    made = worlds.cluster_runs(40, 3, 30, stragglers=0.1, noise=0.1, seed=4)
    for durations, span in zip(made.durations, made.spans, strict=True):
        free = [0.0] * 3
        for seconds in durations:
            free[free.index(min(free))] += seconds
        assert max(free) == pytest.approx(span)
        even, longest = durations.sum() / 3, durations.max()
        assert max(even, longest) - 1e-9 <= span <= even + longest * 2 / 3 + 1e-9


def test_the_seed_decides_and_noise_has_the_mean_it_is_told():
    a, b, c = (worlds.cluster_runs(4, 2, 20_000, noise=0.3, seed=s).seconds for s in (5, 5, 6))
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    assert a.mean() == pytest.approx((2 + 0.08 + 2) * np.exp(0.045), rel=0.01)


@pytest.mark.parametrize("wrong", [{"tasks": 0}, {"workers": 0}, {"runs": 0}, {"chatter": -1}, {"slow": 0.5}])
def test_impossible_clusters_are_refused(wrong):
    with pytest.raises(CourseError, match="cluster_runs"):
        worlds.cluster_runs(**{"tasks": 4, "workers": 2, "runs": 1} | wrong)
