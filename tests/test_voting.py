"""Notebook 05: the vote of a clip's frames, and the table of the clips' answers."""

from toolbox.evaluation.votes import clip_answers

import numpy as np
import pandas as pd
import pytest

from lessons.voting import majority_vote


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


def test_each_clip_gets_an_answer_or_none():
    """Two votes of three; a tie, which goes by the sum; no frame."""
    clips = pd.DataFrame({"clip": list("abc"), "class": ["x", "x", "y"], "group": "g"})
    clips["video"] = clips["clip"] + ".mp4"
    frames = pd.DataFrame({"video": ["b.mp4", "a.mp4", "a.mp4", "b.mp4", "a.mp4"]})
    said = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.7, 0.3]])
    table = clip_answers(clips, frames, said, np.array(["x", "y"]), majority_vote)
    assert table["clip"].tolist() == list("abc")
    assert table["frames"].tolist() == [3, 2, 0]
    assert table["predicted"].tolist()[:2] == ["x", "y"]
    assert table["predicted"].isna().tolist() == [False, False, True]
    assert table["correct"].tolist() == [True, False, False]
    assert table["agreement"].tolist()[:2] == pytest.approx([2 / 3, 1 / 2])
    assert table["confidence"].tolist()[:2] == pytest.approx([0.6, 0.65])
    assert table["tied"].tolist()[:2] == [False, True]
