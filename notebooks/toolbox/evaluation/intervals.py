"""The intervals of an accuracy, and of a difference between two methods that answered
the same clips.
"""

import numpy as np
from scipy import stats


def interval_over_groups(correct, groups):
    """A 95 % interval for the accuracy in new groups: Wilson's (1927, doi
    10.1080/01621459.1927.10502953), for as many independent clips as would waver as
    much as these groups do (the effective sample size: Korn and Graubard 1998, Survey
    Methodology 24; Franco et al. 2019, doi 10.1093/jssam/smy019), widened by Student's
    t, since few groups say little about their spread.

    correct: (n,) bool, or float from 0 to 1; groups: (n,) labels. Returns (low, high),
    or (None, None) if there are fewer than two groups. Raises ValueError if there is no
    prediction. tests/test_intervals.py checks how often it holds the truth, for groups
    of equal size.
    """
    if len(correct) == 0:
        raise ValueError("An interval needs at least one prediction.")
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        return None, None
    by_group = np.bincount(group, weights=correct) / np.bincount(group)
    accuracy, error = np.mean(correct), by_group.std(ddof=1) / np.sqrt(len(names))
    variance = accuracy * (1 - accuracy)
    # the effective sample size
    clips = variance / error**2 if error > 1e-9 else len(correct)
    k = stats.t.ppf(0.975, df=len(names) - 1) ** 2 / clips
    middle, margin = accuracy + k / 2, np.sqrt(k * variance + k**2 / 4)
    low, high = (middle - margin) / (1 + k), (middle + margin) / (1 + k)
    return float(np.clip(low, 0, accuracy)), float(np.clip(high, accuracy, 1))


def measured(method, level, part, correct, groups, chance):
    """A row for `results.json`: an accuracy with its protocol, and its interval over
    groups.

    level: "frame" or "video"; part: "validation" or "test"; correct: (n,) bool; groups:
    (n,).
    """
    low, high = interval_over_groups(correct, groups)
    accuracy = float(np.mean(correct))
    row = {"method": method, "level": level, "part": part, "accuracy": accuracy}
    row |= {"low": low, "high": high, "n": len(correct), "groups": len(set(groups))}
    return row | {"chance": chance}


def difference_over_groups(values, groups):
    """A 95 % interval for a mean paired difference in new groups: Student's t over the
    groups' means (Ibragimov and Müller 2010, doi 10.1198/jbes.2009.08046).

    values: (n,) from -1 to 1, one method's `correct` minus another's; groups: (n,)
    labels. Returns (low, high), or (None, None) with fewer than two groups. Raises
    ValueError if both are empty.
    """
    if len(values) == 0:
        raise ValueError("An interval needs at least one prediction.")
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return None, None
    by_group = np.bincount(group, weights=values) / np.bincount(group)
    error = by_group.std(ddof=1) / np.sqrt(len(names))
    if error < 1e-9:  # groups that are exactly alike: the clips within them differ
        error = np.std(values, ddof=1) / np.sqrt(len(values))
    margin = stats.t.ppf(0.975, df=len(names) - 1) * error
    middle = np.mean(values)
    return float(max(middle - margin, -1)), float(min(middle + margin, 1))


def in_points(values, groups):
    """A mean paired difference as text, in percentage points with its interval, such as
    "+7 (+2 to +12)"; arguments as in `difference_over_groups`.
    """
    low, high = difference_over_groups(values, groups)
    middle = f"{100 * np.mean(values):+.0f}"
    return (
        middle if low is None else f"{middle} ({100 * low:+.0f} to {100 * high:+.0f})"
    )
