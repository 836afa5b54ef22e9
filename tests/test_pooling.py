"""Notebook 06: descriptions of clips, linear classifiers, groups left out."""

from toolbox.models.clip_features import as_array

import numpy as np
import pytest
from lessons_of import lesson
from sklearn.base import BaseEstimator, ClassifierMixin

from lessons.pooling import (
    leave_groups_out,
    linear_classifier,
    mean_and_deviation,
    mean_of_frames,
    paired,
    square_roots,
    unit_length,
)

lesson_06 = lesson("06")


def test_square_roots_have_unit_length():
    rows = np.array([[9.0, 16, 0], [0, 0, 0]])  # the roots have length 5
    assert square_roots(rows) == pytest.approx(np.array([[0.6, 0.8, 0], [0, 0, 0]]))
    rows = np.array([[[3.0, -4], [0, 0]]])
    assert unit_length(rows) == pytest.approx(np.array([[[0.6, -0.8], [0, 0]]]))


# Frames (1, 2), (3, 2) and (8, 5): mean (4, 3); squared distances 9 + 1 + 16 and 1 + 1
# + 4.
CLIPS = as_array([np.array([[1.0, 2], [3, 2], [8, 5]]), np.array([[7.0, 0]])])


def test_means_and_deviations_by_hand():
    assert mean_of_frames(CLIPS).tolist() == [[4, 3], [7, 0]]
    expected = [[4, 3, (26 / 3) ** 0.5, 2**0.5], [7, 0, 0, 0]]
    assert mean_and_deviation(CLIPS) == pytest.approx(np.array(expected))


def test_frames_of_clips_in_rows_remember_their_clip():
    rows, owner = lesson_06.in_rows(CLIPS)
    assert rows.tolist() == [[1, 2], [3, 2], [8, 5], [7, 0]]
    assert owner.tolist() == [0, 0, 0, 1]


def test_each_clip_gets_the_vote_of_its_own_frames():
    """Clip 3's frames say 1, 1 and 0; clip 5's only one says 2."""
    said = np.array([[0.4, 0.6, 0], [0.1, 0.2, 0.7], [0, 1, 0], [0.9, 0.1, 0]])
    assert lesson_06.votes(said, np.array([3, 5, 3, 3])) == [1, 2]


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "c"]])
def test_a_linear_classifier_standardises(classes):
    """Rows (n, 3) on very different scales, whose first tells the class."""
    rng, number = np.random.default_rng(0), np.arange(120) % len(classes)
    rows = rng.normal(size=(120, 3)) * (1, 1000, 0.001)
    labels = np.array(classes)[number]
    rows[:, 0] += 4 * number
    fitted = linear_classifier().fit(rows, labels)
    said, scaled = fitted.predict_proba(rows), rows * (1, 0.001, 1000)
    assert fitted.score(rows, labels) > 0.9
    same = linear_classifier().fit(scaled, labels).predict_proba(scaled)
    assert same == pytest.approx(said, abs=1e-3)


FITS = []  # (numbers of the clips learned from, of those judged)


class Recorder(ClassifierMixin, BaseEstimator):
    """Says of each clip how often each class was learned."""

    def fit(self, clips, labels):
        self.classes_, counts = np.unique(labels, return_counts=True)
        self.shares, self.learned = counts / counts.sum(), clips.tolist()
        return self

    def predict_proba(self, clips):
        FITS.append((self.learned, clips.tolist()))
        return np.tile(self.shares, (len(clips), 1))


@pytest.mark.parametrize(("names", "fits"), [(4, 4), (25, 10)])
def test_no_clip_is_judged_by_a_model_that_met_its_group(names, fits):
    FITS.clear()
    groups = np.array([f"g{number % names:02}" for number in range(50)])
    labels = np.array(["run", "walk"])[np.arange(50) // 25]
    said = leave_groups_out(Recorder(), np.arange(50), labels, groups)
    assert len(FITS) == fits
    assert sorted(number for _, judged in FITS for number in judged) == list(range(50))
    for learned, judged in FITS:
        assert not set(groups[learned]) & set(groups[judged])
        assert sorted(learned + judged) == list(range(50))  # nothing else is left out
    assert said.shape == (50, 2) and np.allclose(said.sum(axis=1), 1)


def test_each_answer_stands_in_its_clips_row_and_its_class_column():
    """Clip 0 is judged by 1 b and 2 c; clip 1 by a and 2 c, 2 and 3 by a, b."""
    labels, groups = np.array(["a", "b", "c", "c"]), np.array(["x", "y", "z", "z"])
    said = leave_groups_out(Recorder(), np.arange(4), labels, groups)
    by_z = [1 / 2, 1 / 2, 0]
    assert np.allclose(said, [[0, 1 / 3, 2 / 3], [1 / 3, 0, 2 / 3], by_z, by_z])


def test_a_paired_gain_by_hand():
    """The groups' means are 1, 0 and 1/2; t with 2 degrees of freedom is 4.3027. Clips
    count alike, so the middle is that of the clips.
    """
    gain, groups = np.array([1, 0, 0, 1, 0.0]), np.array(["x", "y", "y", "z", "z"])
    found = paired(gain, groups)
    margin = 4.3027 * 50 / 3**0.5
    assert found["points"] == pytest.approx(40)
    assert found["low"] == pytest.approx(40 - margin, abs=0.01)
    assert found["high"] == pytest.approx(40 + margin, abs=0.01)
    shuffled = np.array([4, 2, 0, 3, 1])
    assert paired(gain[shuffled], groups[shuffled]) == pytest.approx(found)
