"""Notebooks 08 and 09: descriptions and networks of order, the control, flow."""

from toolbox.clips.flow import mirrored, motion_backwards, neighbours
from toolbox.evaluation.order_control import IN_ORDER, SHUFFLED
from toolbox.models.clip_features import as_array
from toolbox.models.sequences import SequenceNetwork, padded, warm_up_and_cosine

import cv2
import keras
import numpy as np
import pytest
from clips import claim_rate, write_clip
from lessons_of import lesson
from sklearn.base import BaseEstimator, ClassifierMixin

order, motion = lesson("08"), lesson("09")
flow_histogram, motion_of = motion.flow_histogram, motion.motion_of
USE_ORDER = [order.convolution, order.recurrent, order.transformer]


def random_clips(n, length, width=6):
    """Clips of random features, zero or more."""
    rng = np.random.default_rng(0)
    return as_array(list(rng.uniform(size=(n, length, width)).astype("float32")))


def test_descriptions_of_a_clip_by_hand():
    clips = [np.array(one, float)[:, None] for one in ([1, 3, 100, 5, 9], [1, 3], [4])]
    assert order.change_of_halves(as_array(clips)).ravel().tolist() == [7 - 2, 2, 0]
    steps = order.mean_step(as_array(clips)).ravel().tolist()
    assert steps == [(2 + 97 + 95 + 4) / 4, 2, 0]
    ahead = order.with_change(clips := random_clips(3, 7))
    behind = order.with_change(as_array([clip[::-1] for clip in clips]))
    turned = ahead * np.repeat([1, -1], [18, 6])
    assert ahead[:, 18:].any() and np.allclose(behind, turned, atol=1e-6)


def test_departures_are_from_the_mean_of_the_clip_or_of_what_was_seen():
    clip = np.array([[9.0, 16], [16, 9], [9, 16]])  # roots of unit length: 0.6, 0.8
    assert np.allclose(order.departures(clip)[:, 0], [-0.2 / 3, 0.4 / 3, -0.2 / 3])
    assert np.allclose(order.departures_so_far(clip)[:, 0], [0, 0.1, -0.2 / 3])


@pytest.mark.parametrize("build", [order.mean_pooling, *USE_ORDER])
def test_only_models_of_order_notice_a_reversal(build):
    keras.utils.set_random_seed(1)
    model, (clips, mask) = build(8, 6, 3, units=16), padded(random_clips(4, 8), 8)
    forwards = model.predict_on_batch([clips, mask])
    backwards = model.predict_on_batch([clips[:, ::-1].copy(), mask])
    assert np.allclose(forwards, backwards, atol=1e-5) == (build is order.mean_pooling)


def rising_or_falling(n, seed=0):
    """Clips in which one feature rises or falls: the same frames, in another order."""
    rng = np.random.default_rng(seed)
    labels = np.array(["falls", "rises"])[rng.integers(2, size=n)]
    clips, ramp = rng.uniform(0, 1, size=(n, 8, 6)), np.linspace(0, 3, 8)
    clips[..., 0] += np.where(labels[:, None] == "rises", ramp, ramp[::-1])
    return as_array(list(clips.astype("float32"))), labels


@pytest.mark.parametrize("build", USE_ORDER)
def test_networks_learn_a_direction_in_time(build):
    rate = warm_up_and_cosine(0.01, 12)
    network = SequenceNetwork(build, order.departures, 8, 12, rate)
    network.fit(*rising_or_falling(160))
    unseen, expected = rising_or_falling(100, seed=1)
    assert np.mean(network.predict(unseen) == expected) > 0.85


def test_the_rate_climbs_and_falls():
    rates = [float(warm_up_and_cosine(0.4, 10)(epoch)) for epoch in range(10)]
    assert np.allclose(rates[:5], [0.1, 0.175, 0.25, 0.325, 0.4])
    assert all(np.diff(rates[4:]) < 0) and rates[-1] < 0.1


class Ramp(ClassifierMixin, BaseEstimator):
    """Knows rising from falling, if it learned from clips in order."""

    def fit(self, clips, labels):
        self.classes_ = np.unique(labels)
        self.knows_ = np.mean(self.rises(clips) == (labels == "rises")) > 0.9
        return self

    def rises(self, clips):
        return np.array([clip[-1, 0] > clip[0, 0] for clip in clips])

    def predict_proba(self, clips):
        rises = self.rises(clips) if self.knows_ else np.full(len(clips), 0.5)
        return np.stack([1 - rises, rises], axis=1).astype(float)


def test_the_control_learns_and_judges_in_and_out_of_order():
    clips, labels = rising_or_falling(60)
    said = order.examine(Ramp(), clips, labels, np.arange(60).astype(str), np.flipud)
    rises = labels == "rises"
    assert np.array_equal(said[IN_ORDER][:, 1], rises)
    assert np.array_equal(said["ordered / backwards"][:, 1], ~rises)
    assert (said[SHUFFLED] == 0.5).all()  # of shuffled clips it learns nothing
    assert 0.2 < np.mean(said["ordered / shuffled"][:, 1] == rises) < 0.8


def textured(*size):
    """A smooth random texture."""
    noise = np.random.default_rng(0).uniform(0, 255, size).astype("float32")
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype("uint8")


def test_a_moving_patch_is_counted_in_its_cell_and_direction():
    flow = np.full((90, 120, 2), 5, "float32")  # a panning camera is no motion
    flow[:30, 80:, 0] += 4.0  # the top right cell moves to the right
    histogram = flow_histogram(flow, cells=3)
    assert histogram.shape == (3, 3, 8)
    assert histogram[0, 2, 0] == histogram.sum() == pytest.approx(4.0)  # pixels a frame


def test_histograms_in_a_mirror_and_played_backwards():
    flow = np.random.default_rng(0).normal(size=(60, 90, 2)).astype("float32")
    expected = flow_histogram(flow[:, ::-1] * np.array([-1, 1], "float32"), cells=3)
    assert np.allclose(mirrored(flow_histogram(flow, cells=3)), expected, atol=0.02)
    later = flow[::-1].copy()
    both = np.stack([flow_histogram(one, cells=3) for one in (flow, later)])
    opposite = np.stack([flow_histogram(-one, cells=3) for one in (later, flow)])
    assert np.allclose(motion_backwards(both), mirrored(opposite), atol=0.02)


def test_what_is_taken_away_from_flow_is_gone():
    shape = 2, motion.CELLS, motion.CELLS, motion.DIRECTIONS
    right, left, up, down, elsewhere = np.zeros((5, *shape), "float32")
    right[:, 0, 0, 0] = left[:, 0, 0, 4] = down[:, 0, 0, 2] = up[:, 0, 0, 6] = 1
    elsewhere[:, 3, 3, 0] = 1
    two = (left, right), (up, down), (right, elsewhere)
    for sees, expected in (
        ("flow histogram", [False, False, False]),
        ("flow, layout only", [True, True, False]),
        ("flow, vertical only", [True, False, False]),
        ("flow, horizontal only", [False, True, False]),
        ("flow, directions only", [False, False, True]),
    ):
        alike = [np.array_equal(*motion.flow_summary(as_array(x), sees)) for x in two]
        assert alike == expected, sees


def test_neighbours_follow_each_other_and_are_evenly_spaced(tmp_path):
    write_clip(tmp_path / "clip.avi", frames=12)
    every = list(neighbours(tmp_path / "clip.avi", 1000, width=32))
    assert len(every) == 11 and np.array_equal(every[0][1], every[1][0])
    some = list(neighbours(tmp_path / "clip.avi", 3, width=32))
    assert np.array_equal(some, [every[0], every[5], every[10]])


def film(path, shift, fps=25, frames=9):
    """A lossless clip of a textured square that moves over a still textured ground."""
    ffv1 = cv2.VideoWriter_fourcc(*"FFV1")
    writer = cv2.VideoWriter(str(path), ffv1, fps, (160, 120))
    ground, square = textured(120, 160), 255 - textured(40, 40)
    for number in range(frames):
        frame, left = ground.copy(), 60 + shift * (number - frames // 2)
        frame[30:70, left : left + 40] = square
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def test_everybody_travels_to_the_left_in_seconds_not_in_frames(tmp_path):
    """100 pixels a second, all of them; and nobody believes 1,000 frames a second."""
    clip = film(tmp_path / "fast.avi", 4, fps=25)
    fast, slow = (
        motion_of(clip, 6),
        motion_of(film(tmp_path / "slow.avi", 2, fps=50), 6),
    )
    left = motion_of(film(tmp_path / "left.avi", -4, fps=25), 6)
    for moved in (fast, slow, left):
        directions = moved.sum(axis=(0, 1, 2))
        assert directions.argmax() == 4  # half a turn
        assert directions[4] == pytest.approx(fast[..., 4].sum(), rel=0.25)
    claim_rate(clip, microseconds_per_frame=1000, rate=1000, scale=1)
    assert np.array_equal(motion_of(clip, 6), fast)
