"""The intervals over groups, worked by hand and simulated."""

from itertools import combinations_with_replacement, permutations

from toolbox.evaluation.intervals import (
    difference_over_groups,
    interval_over_groups,
    measured,
)

import numpy as np
import pytest
from scipy import stats

CLIPS = 42  # in each simulated group, as in the built-in dataset's test part


def clips_of(right, size=CLIPS):
    """(correct, groups) of groups of `size` clips, right[g] of them right in each."""
    correct = np.arange(size) < np.asarray(right)[:, None]
    return correct.ravel(), np.repeat(np.arange(len(right)), size)


def betabinomial(accuracy, correlation):
    """How many of a group's clips are right, if two of them correlate so much."""
    strength = 1 / correlation - 1
    return stats.betabinom(CLIPS, accuracy * strength, (1 - accuracy) * strength)


# Three groups with 5, 6 and 7 of 10 right: accuracy 0.6, standard deviation between
# groups 0.1, standard error 0.1 / sqrt(3), so 0.24 / (0.01 / 3) = 72 effective clips;
# Student's t for two degrees of freedom is 4.3027, k = 18.5128 / 72 = 0.25712, and
# Wilson's limits are (0.6 + 0.12856 -+ sqrt(0.25712 * 0.24 + 0.12856 ** 2)) / 1.25712.
# Two groups: Student's t for one degree of freedom is 12.7062; 0.24 / 0.1 ** 2 = 24
# effective clips, k = 161.448 / 24 = 6.72699.
@pytest.mark.parametrize(
    ("right", "limits"), [([5, 6, 7], (0.35705, 0.80205)), ([5, 7], (0.04763, 0.97826))]
)
def test_groups_by_hand(right, limits):
    found = interval_over_groups(*clips_of(right, size=10))
    assert found == pytest.approx(limits, abs=1e-5)


# Groups of 2, 4 and 8 clips with accuracies 0.5, 0.5 and 0.75: 9 / 14 = 0.64286 in all,
# the squared error is 0.020833 / 3 = 0.0069444, k = 18.5128 * 0.0069444 / 0.22959 =
# 0.55996, and so (0.64286 + 0.27998 -+ sqrt(0.55996 * 0.22959 + 0.27998 ** 2)) /
# 1.55996.
def test_the_accuracy_of_unequal_groups_counts_clips():
    correct = np.array([1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0], bool)
    found = interval_over_groups(correct, np.repeat(["a", "b", "c"], [2, 4, 8]))
    assert found == pytest.approx((0.29996, 0.88320), abs=1e-5)


# Where groups show no spread, the clips count: k = 18.5128 / 126 for 126 clips in three
# groups, and Wilson's lower limit for an accuracy of 1 is 1 / (1 + k).
def test_groups_that_are_all_right_or_all_wrong_do_not_promise_certainty():
    low, high = interval_over_groups(*clips_of([42, 42, 42]))
    assert (low, high) == (pytest.approx(126 / (126 + 18.5128), abs=1e-5), 1)
    mirrored = pytest.approx((0, 1 - low), abs=1e-9)
    assert interval_over_groups(*clips_of([0, 0, 0])) == mirrored


# k = 18.5128 / 30 = 0.61709: 0.5 -+ sqrt(0.61709 * 0.25 + 0.30855 ** 2) / 1.61709
@pytest.mark.parametrize("half", [1, 0.5])  # half the clips; each by half the seeds
def test_groups_that_are_exactly_alike_do_not_promise_certainty(half):
    correct = np.tile([half] * 5 + [1 - half] * 5, 3)
    found = interval_over_groups(correct, np.repeat([0, 1, 2], 10))
    assert found == pytest.approx((0.19113, 0.80887), abs=1e-5)


@pytest.mark.parametrize("interval", [interval_over_groups, difference_over_groups])
def test_one_group_has_no_interval(interval):
    assert interval([True, False, True], ["g01"] * 3) == (None, None)


def test_a_row_of_results_names_its_protocol():
    correct = np.array([True, True, False, True, False, False])
    row = measured("vote", "video", "test", correct, list("aaabbb"), 0.25)
    low, high = row.pop("low"), row.pop("high")
    assert 0 <= low < 0.5 < high <= 1
    expected = {"method": "vote", "level": "video", "part": "test", "accuracy": 0.5}
    assert row == expected | {"n": 6, "groups": 2, "chance": 0.25}


# All ways in which three groups can turn out, each with its probability, so nothing is
# drawn. An accuracy of 0.95 is beyond what three groups can settle: the interval errs
# on the wide side.
def test_three_groups_cover_the_truth_exactly():
    ways = np.array(list(combinations_with_replacement(range(CLIPS + 1), 3)))
    orders = [len(set(permutations(way))) for way in ways.tolist()]
    low, high = np.array([interval_over_groups(*clips_of(way)) for way in ways]).T
    for correlation in (0.02, 0.05, 0.1, 0.2):
        for accuracy in (0.4, 0.55, 0.7, 0.85, 0.95):
            chance = betabinomial(accuracy, correlation).pmf(ways).prod(axis=1) * orders
            assert chance.sum() == pytest.approx(1)
            covered = chance[(low <= accuracy) & (accuracy <= high)].sum()
            assert 0.93 < covered < (1 if accuracy == 0.95 else 0.97), correlation


# The correlation of two clips of a group is drawn anew in each case, from 0.02 to 0.2.
# The true coverages are 94.3 to 95.3 %, and the standard error of 2,500 cases is 0.4 %.
@pytest.mark.parametrize("count", [7, 10, 25])
@pytest.mark.parametrize("accuracy", [0.4, 0.55, 0.7, 0.85])
def test_more_groups_cover_the_truth_in_simulated_cases(count, accuracy):
    cases, random = 2500, np.random.default_rng(count)
    correlation = random.uniform(0.02, 0.2, size=(cases, 1))
    draws = betabinomial(accuracy, correlation).rvs((cases, count), random)
    low, high = np.array([interval_over_groups(*clips_of(right)) for right in draws]).T
    assert 0.93 < np.mean((low <= accuracy) & (accuracy <= high)) < 0.97


def gains(accuracies, correlation, cases, count):
    """(gain, groups) in each simulated case: what the second of two methods gains."""
    random = np.random.default_rng(count)
    methods = (betabinomial(accuracy, correlation) for accuracy in accuracies)
    draws = (method.rvs((cases, count), random) for method in methods)
    for one, other in zip(*draws, strict=True):
        right, groups = clips_of(one)
        yield clips_of(other)[0].astype(float) - right, groups


# Gains of 0, 1 and 2 of 10 clips: mean 0.1, standard error 0.1 / sqrt(3), 4.3027 of
# them. One clip gained in each of three groups of 10: the clips' standard deviation is
# sqrt(0.1 * 0.9 * 30 / 29) = 0.30513, and 4.3027 * 0.30513 / sqrt(30) = 0.23970.
@pytest.mark.parametrize(
    ("gained", "margin"), [([0, 1, 2], 0.24841), ([1, 1, 1], 0.23970)]
)
def test_a_difference_by_hand(gained, margin):
    gain, groups = clips_of(gained, size=10)
    found = difference_over_groups(gain.astype(float), groups)
    assert found == pytest.approx((0.1 - margin, 0.1 + margin), abs=1e-5)


def test_a_difference_stays_between_minus_1_and_1():
    assert difference_over_groups([1, 1, 1, -1, -1, -1], list("aaabbb")) == (-1, 1)


@pytest.mark.parametrize("count", [3, 10])
def test_differences_of_two_methods_cover_the_truth_in_simulated_cases(count):
    cases = gains((0.5, 0.6), 0.1, 3000, count)
    limits = np.array([difference_over_groups(*case) for case in cases])
    covered = (limits[:, 0] <= 0.1) & (limits[:, 1] >= 0.1)
    assert 0.93 < covered.mean() < 0.97
