"""Notebook 07: the exact map of a linear classifier, calibration, neighbours."""

import toolbox  # noqa: F401  before Keras, which it silences
from toolbox.models.clip_features import as_array

import numpy as np
import pytest
from lessons_of import lesson
from scipy.special import softmax

from lessons.pooling import linear_classifier, mean_and_deviation, square_roots

page = lesson("07")


def maps_of_noise(steps=5, side=3, channels=6, seed=0):
    """Maps as a convolution with ReLU puts them out: not negative, some zero."""
    values = np.random.default_rng(seed).normal(size=(steps, side, side, channels))
    return np.maximum(values, 0).astype("float32")


@pytest.mark.parametrize("labels", ["abcabcabc", "abababab"])
def test_the_maps_sum_to_the_logits(labels):
    clips = as_array([maps_of_noise(seed=k) for k in range(len(labels))])
    pooled = as_array([clip.mean(axis=(1, 2)) for clip in clips])
    model = linear_classifier(mean_and_deviation, square_roots)
    model.fit(pooled, np.array(list(labels)))
    weights, constants = page.logit_parts(model)
    for maps, said in zip(clips, model.predict_proba(pooled), strict=True):
        logits = [2 * page.exact_map(maps, one).sum() for one in weights] + constants
        assert softmax(logits) == pytest.approx(said, abs=1e-5)


def test_the_gradient_is_that_of_the_roots_at_a_fixed_norm():
    maps = maps_of_noise().astype(float)
    weights = np.random.default_rng(1).normal(size=12)

    def roots(maps):
        frames = maps.mean(axis=(1, 2))
        return np.sqrt(np.concatenate([frames.mean(axis=0), frames.std(axis=0)]))

    norm, found = np.linalg.norm(roots(maps)), page.gradient(maps, weights)
    for step, channel in [(0, 0), (2, 3), (4, 5)]:
        more, less = maps.copy(), maps.copy()
        more[step, 1, 2, channel] += 1e-5
        less[step, 1, 2, channel] -= 1e-5
        slope = weights @ (roots(more) - roots(less)) / norm / 2e-5
        assert found[step, channel] == pytest.approx(slope, rel=1e-4)
    weights[6:] = 0  # where only the mean counts, Grad-CAM is the map's positive part
    positive = np.maximum(page.exact_map(maps, weights), 0)
    assert np.allclose(page.grad_cam(maps, weights), positive, atol=1e-6)


def test_evidence_lies_where_the_channel_is_active():
    maps = np.zeros((2, 3, 3, 2), "float32")
    maps[:, 0, 2, 0], maps[:, 1, 1, 1] = 1, 4
    heat = page.exact_map(maps, np.array([1.0, -1.0, 0, 0]))
    # roots 1 and 2 of norm root 5, halved, over two frames
    assert heat[0, 0, 2] == pytest.approx(1 / 2 / np.sqrt(5) / 2)
    assert heat[1, 1, 1] == pytest.approx(-2 / 2 / np.sqrt(5) / 2)
    assert np.count_nonzero(heat) == 4


def test_a_still_clip_has_no_deviation_and_no_division_by_zero():
    maps = np.repeat(maps_of_noise(1), 4, axis=0)
    maps[..., 0] = 0
    assert (page.exact_map(maps, np.repeat([0.0, 1.0], 6)) == 0).all()
    roots = np.sqrt(maps.mean(axis=(0, 1, 2)))
    by_mean = page.exact_map(maps, np.repeat([1.0, 0.0], 6))
    expected = roots.sum() / np.linalg.norm(roots)
    assert 2 * by_mean.sum() == pytest.approx(expected, rel=1e-5)


def test_the_window_with_the_largest_sum_is_covered_and_the_rest_left_alone():
    heat = np.ones((7, 7))
    heat[3:5, 2:4] = 9
    assert page.window_at(heat, 2) == (3, 2)
    picture = np.zeros((224, 224, 3), "uint8")
    covered = page.cover(picture, (0, 4), 3, np.array([124, 117, 104]))
    assert (covered[:96, 128:] == [124, 117, 104]).all()
    assert covered.sum() == (124 + 117 + 104) * 96 * 96 and picture.sum() == 0


def test_reliability_by_hand():
    said = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.7, 0.3]])
    labels, groups = np.array(["a", "b", "a", "a"]), np.array(["g1", "g2", "g1", "g2"])
    table, error = page.reliability(said, labels, groups, np.array(["a", "b"]), least=2)
    assert table["n"].tolist() == [2, 2]
    assert table["confidence"].tolist() == pytest.approx([0.65, 0.85])
    assert table["accuracy"].tolist() == [1, 0.5]
    assert error == pytest.approx(0.35)
    assert table["accuracy"].between(table["low"], table["high"]).all()


def test_losses_by_hand():
    said, classes = np.array([[0.5, 0.3, 0.2], [0, 0, 1.0]]), np.array(["a", "b", "c"])
    log_loss, brier = page.losses(said, np.array(["a", "b"]), classes)
    assert log_loss == pytest.approx([np.log(2), -np.log(1e-6)])
    assert brier == pytest.approx([0.25 + 0.09 + 0.04, 2])


def test_the_temperature_undoes_boasting():
    rng, classes = np.random.default_rng(0), np.array(["a", "b", "c"])
    honest = softmax(rng.normal(size=(5000, 3)), axis=1)
    labels = classes[[rng.choice(3, p=row) for row in honest]]
    assert page.best_temperature(honest, labels, classes) == pytest.approx(1, abs=0.1)
    boasting = page.tempered(honest, 0.4)
    found = page.best_temperature(boasting, labels, classes)
    assert found == pytest.approx(2.5, abs=0.25)
    assert np.allclose(page.tempered(boasting, 2.5), honest, atol=1e-6)


def test_neighbours_are_other_rows_by_direction():
    rows = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    order, cosines = page.nearest_clips(rows, count=5)
    assert order.tolist() == [[1, 2], [0, 2], [1, 0]]
    assert cosines[0] == pytest.approx([0.8, 0])
