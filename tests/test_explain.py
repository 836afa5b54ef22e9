"""Notebook 07: heat maps, covered windows, moving regions, calibration, neighbours."""

import toolbox  # noqa: F401  before TensorFlow, which it silences

import keras
import numpy as np
import pytest
import tensorflow as tf

from framevote.explain import (
    cover,
    draw_heat,
    grad_cam,
    moving_region,
    nearest_clips,
    reliability,
    scores_by,
    up_to_last_convolution,
    window_at,
)
from framevote.transfer import make_head

# Grad-CAM


def maps_of_noise(n=3, side=8, detectors=5, seed=0):
    """Maps as a convolution with ReLU puts them out: not negative, some zero."""
    values = np.random.default_rng(seed).normal(size=(n, side, side, detectors))
    return np.maximum(values, 0).astype("float32")


def top_left_quarter(maps):
    """Scores of a network that reads the top left quarter only: class 0 likes the first detector
    there, class 1 dislikes it."""
    seen = tf.reduce_sum(maps[:, : maps.shape[1] // 2, : maps.shape[2] // 2, 0], axis=(1, 2))
    return tf.stack([seen, -seen], axis=1)


def test_the_heat_is_the_first_detectors_map_where_only_that_counts():
    maps = maps_of_noise()
    heat = grad_cam(maps, top_left_quarter, [0, 0, 0])
    assert heat.shape == (3, 8, 8)
    assert np.allclose(heat, maps[..., 0] * 0.25, atol=1e-6)  # a quarter of all gradients is 1


def test_evidence_against_a_class_is_cut_off():
    assert (grad_cam(maps_of_noise(), top_left_quarter, [1, 1, 1]) == 0).all()


def test_a_network_that_reads_the_top_left_quarter_is_hot_there():
    """A convolution that sees nothing but that quarter, of pictures that are bright elsewhere."""
    rng = np.random.default_rng(0)
    pictures = rng.uniform(0, 0.1, (8, 32, 32, 3)).astype("float32")
    pictures[:, 4:10, 4:10], pictures[:, 18:30, 18:30] = 0.5, 1.0
    seen = np.zeros((32, 32, 3), "float32")
    seen[:16, :16] = 1
    frame = keras.Input((32, 32, 3))
    detectors = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="detectors")
    maps = detectors(keras.layers.Multiply()([frame, seen[None]]))
    detectors.set_weights([np.ones((3, 3, 3, 4)), np.zeros(4)])
    maps = keras.Model(frame, maps).predict_on_batch(pictures)
    heat = grad_cam(maps, lambda maps: tf.reduce_sum(maps, axis=(1, 2)), np.zeros(8, int))
    assert heat[:, 17:].max() == heat[:, :, 17:].max() == 0
    corners = np.array([window_at(one, 6) for one in heat])
    assert (abs(corners - 4) <= 1).all()  # on the bright patch of that quarter


def test_each_frame_is_explained_by_itself():
    maps = maps_of_noise(4)
    together = grad_cam(maps, top_left_quarter, [0, 1, 0, 1])
    alone = [grad_cam(maps[i : i + 1], top_left_quarter, [i % 2])[0] for i in range(4)]
    assert np.allclose(together, alone)


def test_the_two_halves_make_the_whole_network(base):
    keras.utils.set_random_seed(0)
    head, frames = make_head(3), np.random.default_rng(0).uniform(0, 1, (2, 224, 224, 3))
    frames = frames.astype("float32")
    maps = up_to_last_convolution(base).predict_on_batch(frames)
    assert maps.shape == (2, 14, 14, 512)
    halves = tf.nn.softmax(scores_by(head, 7.0)(maps)).numpy()
    features = base.predict_on_batch(frames).reshape(2, -1) / 7.0
    assert np.allclose(halves, head.predict_on_batch(features), atol=1e-4)


def test_heat_is_drawn_where_it_is_hot():
    frame, heat = np.full((40, 60, 3), 100, "uint8"), np.zeros((4, 6))
    heat[0, 0] = 3.0
    drawn = draw_heat(frame, heat)
    assert drawn.shape == frame.shape and drawn.dtype == np.uint8
    assert (drawn[20:, 30:] == frame[20:, 30:]).all()
    assert drawn[0, 0, 0] > 200 and drawn[0, 0, 2] < 50  # red


def test_no_heat_changes_nothing():
    frame = np.full((8, 8, 3), 100, "uint8")
    assert (draw_heat(frame, np.zeros((2, 2))) == frame).all()


# Windows


def test_the_hottest_and_the_coldest_window():
    heat = np.ones((6, 6))
    heat[3:5, 2:4], heat[0:2, 4:6] = 9, 0
    assert window_at(heat, 2) == (3, 2)
    assert window_at(heat, 2, hottest=False) == (0, 4)


def test_random_windows_lie_inside_and_differ():
    rng = np.random.default_rng(0)
    corners = {window_at(np.zeros((6, 6)), 4, rng=rng) for _ in range(100)}
    assert corners == {(row, column) for row in range(3) for column in range(3)}


def test_covering_leaves_the_rest_alone():
    frame = np.zeros((224, 224, 3), "uint8")
    covered = cover(frame, (0, 9), 5)
    assert (covered[:80, 144:] == 128).all()
    assert covered.sum() == 128 * 80 * 80 * 3
    assert frame.sum() == 0


# What moves


def test_a_moving_square_is_found():
    frames = np.full((6, 60, 80, 3), 50, "uint8")
    frames += np.random.default_rng(0).integers(0, 3, frames.shape, dtype="uint8")  # noise
    for time, frame in enumerate(frames):
        frame[20:30, 10 + 8 * time : 20 + 8 * time] = 200
    region = moving_region(list(frames), margin=0.03)
    assert region[20:30, 12:58].mean() > 0.95
    assert not region[:15].any() and not region[36:].any()


@pytest.mark.parametrize("count", [1, 5])
def test_nothing_moves_in_a_still_clip(count):
    still = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype="uint8")
    assert not moving_region([still] * count).any()


# Calibration and neighbours


def test_reliability_by_hand():
    diagram, error = reliability([0.95, 0.95, 0.55, 1.0], [True, False, True, True], bins=10)
    assert diagram["n"].tolist() == [1, 3]
    assert diagram["accuracy"].tolist() == pytest.approx([1, 2 / 3])
    assert diagram["confidence"].tolist() == pytest.approx([0.55, 2.9 / 3])
    assert error == pytest.approx(0.45 / 4 + (2.9 - 2) / 4)


def test_a_calibrated_classifier_has_a_small_error():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 20_000)
    _, error = reliability(confidence, rng.uniform(size=20_000) < confidence)
    assert error < 0.02
    _, boasting = reliability(confidence, rng.uniform(size=20_000) < confidence - 0.2)
    assert boasting == pytest.approx(0.2, abs=0.02)


def test_neighbours_by_direction_not_by_length():
    known = np.array([[0.0, 1.0], [1.0, 1.0], [100.0, 1.0]])
    order, cosines = nearest_clips(np.array([[2.0, 0.0]]), known, count=2)
    assert order.tolist() == [[2, 1]]
    assert cosines[0] == pytest.approx([1.0, 0.7071], abs=1e-3)


def test_fewer_known_clips_than_asked_for():
    order, _ = nearest_clips(np.eye(2), np.eye(2), count=5)
    assert order.tolist() == [[0, 1], [1, 0]]
