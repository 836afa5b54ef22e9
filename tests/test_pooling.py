"""Notebook 06: descriptions of clips, linear classifiers, frames that vote."""

from toolbox.models.clip_features import as_array

import numpy as np
import pytest
from lessons_of import lesson
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin

from lessons.pooling import (
    linear_classifier,
    mean_and_deviation,
    mean_of_frames,
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


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "c"]])
def test_a_linear_classifier_standardises_and_answers_as_a_softmax_layer(classes):
    """Rows (n, 3) on very different scales, whose first tells the class."""
    rng, number = np.random.default_rng(0), np.arange(120) % len(classes)
    rows, labels = (
        rng.normal(size=(120, 3)) * (1, 1000, 0.001),
        np.array(classes)[number],
    )
    rows[:, 0] += 4 * number
    fitted = linear_classifier().fit(rows, labels)
    said, scaled = fitted.predict_proba(rows), rows * (1, 0.001, 1000)
    assert fitted.score(rows, labels) > 0.9
    same = linear_classifier().fit(scaled, labels).predict_proba(scaled)
    assert same == pytest.approx(said, abs=1e-3)
    kernel, bias = lesson_06.as_softmax(fitted)
    assert softmax(rows @ kernel + bias, axis=1) == pytest.approx(said)


class Says(ClassifierMixin, BaseEstimator):
    """Says of a frame what its features are; remembers what it learned."""

    def fit(self, rows, labels):
        self.classes_, self.learned = np.unique(labels), (rows.tolist(), list(labels))
        return self

    def predict_proba(self, rows):
        return rows


# Columns: jump, run, walk. The votes of clip 0: run, run, jump; of clip 1: walk; of
# clip 2 one each, jump 0.6 and run 1.1 in sum.
FRAMES = [
    np.array([[0.3, 0.4, 0.3], [0.3, 0.4, 0.3], [1, 0, 0]]),
    np.array([[0.2, 0.3, 0.5]]),
    np.array([[0.6, 0.4, 0], [0, 0.7, 0.3]]),
]


def fitted_frames(vote):
    model = lesson_06.FrameByFrame(Says(), vote)
    return model.fit(as_array(FRAMES), np.array(["run", "walk", "jump"]))


def test_frames_learn_their_clips_label_and_decide_by_votes_or_by_means():
    model, clips = fitted_frames(True), as_array(FRAMES)
    labels = ["run"] * 3 + ["walk"] + ["jump"] * 2
    assert model.model_.learned == (np.concatenate(FRAMES).tolist(), labels)
    expected = [[1 / 3, 2 / 3, 0], [0, 0, 1], [1 / 2, 1 / 2, 0]]
    said = model.predict_proba(clips)
    assert said == pytest.approx(np.array(expected), abs=1e-5)
    assert said.sum(axis=1) == pytest.approx(1)
    assert model.predict(clips).tolist() == ["run", "walk", "run"]  # the tie: by sums
    assert model.predict(as_array([FRAMES[2][:, [1, 0, 2]]])).tolist() == ["jump"]
    model, sums = fitted_frames(False), np.stack([one.mean(axis=0) for one in FRAMES])
    assert model.predict_proba(clips) == pytest.approx(sums)
    assert model.predict(clips).tolist() == ["jump", "walk", "run"]
