import numpy as np
import pytest

from helpers import splits
from helpers.errors import CourseError


def parts(fold):
    return fold.train, fold.validate, fold.test


@pytest.mark.parametrize("expanding", [True, False])
@pytest.mark.parametrize("purge,embargo", [(0, 0), (5, 0), (3, 4)])
def test_walk_forward_only_ever_looks_back(expanding, purge, embargo):
    folds = splits.walk_forward(
        1000, train=300, validate=100, test=150, purge=purge, embargo=embargo, expanding=expanding
    )
    for fold in folds:
        assert fold.train[-1] + purge < fold.validate[0]
        assert fold.validate[-1] + purge + embargo < fold.test[0]
        assert all((np.diff(part) == 1).all() for part in parts(fold))
    tested = np.concatenate([fold.test for fold in folds])
    assert np.array_equal(tested, np.arange(400, 1000)), "each row after the first development part is tested once"
    assert {fold.train[0] for fold in folds} == ({0} if expanding else {0, 150, 300, 450})


def test_last_fold_may_be_short_and_development_joins_the_first_two():
    folds = splits.walk_forward(90, train=40, validate=10, test=30)
    assert [len(fold.test) for fold in folds] == [30, 10]
    assert np.array_equal(folds[0].development, np.arange(50))


def test_chronological_shares_and_purge():
    fold = splits.chronological(range(1000), validate=0.2, test=0.3, purge=10)
    assert [len(part) for part in parts(fold)] == [490, 190, 300]
    assert fold.train[-1] == 489 and fold.validate[0] == 500 and fold.test[0] == 700 and fold.test[-1] == 999


@pytest.mark.parametrize(
    "call,words",
    [
        (lambda: splits.chronological(10, validate=0.6, test=0.5), "shares between 0 and 1 that leave a rest"),
        (lambda: splits.chronological(10, purge=5), "too few for these sizes with a purge of 5"),
        (lambda: splits.walk_forward(100, train=90, validate=10, test=10), "No fold fits"),
        (lambda: splits.walk_forward(100, train=10, validate=10, test=10, purge=10), "with a purge of 10"),
        (lambda: splits.walk_forward(100, train=0, validate=10, test=10), "of at least 1"),
        (lambda: splits.walk_forward(100, train=10, validate=10, test=10, purge=-1), "of at least 0"),
    ],
)
def test_impossible_splits_are_refused(call, words):
    with pytest.raises(CourseError, match=words):
        call()
