"""What a decision does to groups of people; `actual` and `decision` are 0 or 1."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.errors import CourseError
from helpers.metrics.classifier import _check


def group_rates(
    actual: np.ndarray, decision: np.ndarray, group: np.ndarray, probability: np.ndarray | None = None
) -> pd.DataFrame:
    """What a decision (1 = treated as positive) does to each group: one row a group.

    Columns: n; positives (share of ones in truth); selected (share of ones decided); true_positive_rate,
    false_positive_rate; precision (share of ones in truth among those selected); with `probability` also
    mean_probability, to hold against positives (calibration within groups). NaN where a group offers no case. The
    rates of Hardt, Price and Srebro (2016, arXiv:1610.02413) and of Kleinberg, Mullainathan and Raghavan (2017,
    arXiv:1609.05807).
    """
    actual, decision = _check(actual, decision)
    if not np.isin(decision, (0, 1)).all() or len(group) != len(actual):
        raise CourseError("group_rates needs decisions of 0 and 1, and a group for every row.")
    rows = pd.DataFrame({"positives": actual, "selected": decision})
    rows["true_positive_rate"] = np.where(actual == 1, decision, np.nan)
    rows["false_positive_rate"] = np.where(actual == 0, decision, np.nan)
    rows["precision"] = np.where(decision == 1, actual, np.nan)
    if probability is not None:
        rows["mean_probability"] = _check(actual, probability)[1]
    by_group = rows.groupby(pd.Series(np.asarray(group), name="group"), observed=True)
    table = by_group.mean()
    table.insert(0, "n", by_group.size())
    return table


def demographic_parity_difference(decision: np.ndarray, group: np.ndarray) -> float:
    """Largest less smallest share of ones decided among the groups, in [0, 1], 0 is parity (Dwork et al. 2012,
    arXiv:1104.3913; the difference as in Fairlearn).
    """
    share = pd.Series(np.asarray(decision, dtype=float)).groupby(np.asarray(group)).mean()
    return float(share.max() - share.min())


def equal_opportunity_difference(actual: np.ndarray, decision: np.ndarray, group: np.ndarray) -> float:
    """Largest less smallest true-positive rate among the groups, in [0, 1] (Hardt, Price and Srebro 2016).

    "Positive" is whatever is coded 1: pass 1 = repays, 1 = granted to ask for equal chances of the good.
    """
    rate = group_rates(actual, decision, group)["true_positive_rate"]
    return float(rate.max() - rate.min())
