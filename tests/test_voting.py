"""Notebook 05: the vote of a clip's frames, and the rows of results."""

import numpy as np
import pytest

from lessons.voting import majority_vote, measured


@pytest.mark.parametrize(
    ("probabilities", "winner"),
    [
        ([[0.6, 0.4], [0.6, 0.4], [0.0, 1.0]], 0),  # two votes of three, less sure
        ([[0.6, 0.4, 0.0], [0.1, 0.9, 0.0]], 1),  # a tie: 0.7 against 1.3
        # 0 and 1 have two votes and 1.25 against 1.2; 2 has the largest sum, one vote
        ([[4, 3, 3], [5, 0, 5], [0, 5, 5], [3.5, 4, 2.5], [0, 0, 10]], 0),  # in tenths
        ([[0.25, 0.75, 0.0], [0.75, 0.25, 0.0]], 0),  # all equal: the first
    ],
)
def test_majority_vote(probabilities, winner):
    assert majority_vote(np.array(probabilities)) == winner


def test_a_row_of_results_names_its_protocol():
    correct = np.array([True, True, False, True, False, False])
    row = measured("vote", "video", "test", correct, list("aaabbb"), 0.25)
    low, high = row.pop("low"), row.pop("high")
    assert 0 <= low < 0.5 < high <= 1
    expected = {"method": "vote", "level": "video", "part": "test", "accuracy": 0.5}
    assert row == expected | {"n": 6, "groups": 2, "chance": 0.25}
