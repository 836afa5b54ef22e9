"""Notebook 07: the map of a linear classifier's logit, and windows painted over."""

import toolbox  # noqa: F401  before Keras, which it silences
from toolbox.evaluation import logit_weights
from toolbox.models.clip_features import as_array

import numpy as np
import pytest
from scipy.special import softmax

from lessons.pooling import linear_classifier, mean_and_deviation, square_roots
from lessons.seeing import cover, logit_of, map_of, window_on


def maps_of_noise(steps=5, side=3, channels=6, seed=0):
    """Maps as a convolution with ReLU puts them out: not negative, some zero."""
    values = np.random.default_rng(seed).normal(size=(steps, side, side, channels))
    return np.maximum(values, 0).astype("float32")


@pytest.mark.parametrize("labels", ["abcabcabc", "abababab"])
def test_the_logit_on_the_page_is_the_classifiers(labels):
    clips = as_array([maps_of_noise(seed=k) for k in range(len(labels))])
    pooled = as_array([clip.mean(axis=(1, 2)) for clip in clips])
    model = linear_classifier(mean_and_deviation, square_roots)
    model.fit(pooled, np.array(list(labels)))
    weights = np.stack([logit_weights(model, name) for name in model.classes_])
    constants = model[-1].intercept_
    if len(constants) == 1:
        constants = np.outer([-0.5, 0.5], constants)[:, 0]
    constants = constants - weights @ model[-2].mean_
    for maps, said in zip(clips, model.predict_proba(pooled), strict=True):
        logits = np.array([logit_of(maps, row) for row in weights]) + constants
        assert softmax(logits) == pytest.approx(said, abs=1e-3)
    assert not logit_weights(model, "a class that it doesn't know").any()


def test_the_map_is_what_the_logit_gains_by_more_of_a_place():
    maps, weights = maps_of_noise().astype("float64"), np.linspace(-1, 1, 12)
    found = map_of(maps, weights)
    assert found.shape == (5, 3, 3)
    for step, row, column in [(0, 0, 0), (2, 1, 2), (4, 2, 1)]:
        more, less = maps.copy(), maps.copy()
        more[step, row, column] *= 1 + 1e-5
        less[step, row, column] *= 1 - 1e-5
        slope = float(logit_of(more, weights) - logit_of(less, weights)) / 2e-5
        assert found[step, row, column] == pytest.approx(slope, rel=1e-3, abs=1e-7)


def test_a_map_of_a_classifier_that_ignores_brightness_sums_to_nothing():
    found = map_of(maps_of_noise(), np.linspace(-1, 1, 12, dtype="float32"))
    assert abs(found.sum()) < 1e-4 < np.abs(found).max()


def test_a_still_clip_has_a_map_without_holes():
    maps = np.repeat(maps_of_noise(1), 4, axis=0)
    maps[..., 0] = 0  # a channel that is never active
    found = map_of(maps, np.ones(12, "float32"))
    assert np.isfinite(found).all() and found.any()
    assert np.allclose(found, found[0])


def test_the_window_with_the_largest_sum_is_covered_and_the_rest_left_alone():
    heat = np.ones((7, 7))
    heat[3:5, 2:4] = 9
    assert tuple(window_on(heat, 2)) == (3, 2)
    picture = np.zeros((224, 224, 3), "uint8")
    covered = cover(picture, (0, 4), 3)
    assert (covered[:96, 128:] == [124, 117, 104]).all()
    assert covered.sum() == (124 + 117 + 104) * 96 * 96 and picture.sum() == 0
