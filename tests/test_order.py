"""Notebooks 08 and 09: descriptions of order, networks with a mask, the control,
optical flow.
"""

from itertools import pairwise

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


def test_a_reversed_clip_turns_its_change_round_and_keeps_the_rest():
    clips = random_clips(3, 7)
    ahead = order.with_change(clips)
    behind = order.with_change(as_array([clip[::-1] for clip in clips]))
    assert ahead.shape == (3, 24) and ahead[:, 18:].any()
    assert np.allclose(behind[:, :18], ahead[:, :18], atol=1e-6)
    assert np.allclose(behind[:, 18:], -ahead[:, 18:], atol=1e-6)


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


# Flow


def textured(shift=(0, 0), size=(96, 128)):
    """A smooth random texture, moved right and down by whole pixels."""
    rng, (height, width), (right, down) = np.random.default_rng(0), size, shift
    noise = rng.uniform(0, 255, (height + 40, width + 40)).astype("float32")
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    smooth = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype("uint8")
    return smooth[20 - down :][:height, 20 - right :][:, :width]


@pytest.mark.parametrize("shift", [(3, 0), (-2, 1)])
def test_flow_finds_a_known_shift(shift):
    flow = motion.optical_flow(textured(), textured(shift))
    assert flow.shape == (96, 128, 2)
    assert np.allclose(np.median(flow[10:-10, 10:-10], axis=(0, 1)), shift, atol=0.25)


def test_a_moving_patch_is_counted_in_its_cell_and_direction():
    flow = np.full((90, 120, 2), 5, "float32")  # a panning camera is no motion
    flow[:30, 80:, 0] += 4.0  # the top right cell moves to the right
    histogram = flow_histogram(flow, cells=3)
    assert histogram.shape == (3, 3, 8)
    assert histogram[0, 2, 0] == histogram.sum() == pytest.approx(4.0)  # pixels a frame
    down = np.zeros_like(flow)
    down[60:, :40, 1] = 1.0
    assert flow_histogram(down, cells=3)[2, 0].argmax() == 2


def test_histograms_in_a_mirror_and_played_backwards():
    flow = np.random.default_rng(0).normal(size=(60, 90, 2)).astype("float32")
    seen_in_a_mirror = flow[:, ::-1] * np.array([-1, 1], "float32")
    expected = flow_histogram(seen_in_a_mirror, cells=3)
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
    told = {
        sees: [np.array_equal(*motion.flow_summary(as_array(x), sees)) for x in two]
        for sees in motion.SEES
    }
    assert told == {
        "flow histogram": [False, False, False],
        "flow, layout only": [True, True, False],
        "flow, vertical only": [True, False, False],
        "flow, horizontal only": [False, True, False],
        "flow, directions only": [False, False, True],
    }


def test_neighbours_follow_each_other_and_are_evenly_spaced(tmp_path):
    write_clip(tmp_path / "clip.avi", frames=12)
    every = list(neighbours(tmp_path / "clip.avi", 1000, width=32))
    assert len(every) == 11 and every[0][0].shape == (24, 32)
    assert all(np.array_equal(a[1], b[0]) for a, b in pairwise(every))
    some = list(neighbours(tmp_path / "clip.avi", 3, width=32))
    assert np.array_equal(some, [every[0], every[5], every[10]])


def test_motion_of_short_clips(tmp_path):
    for frames in (1, 2):
        write_clip(tmp_path / f"{frames}.avi", frames=frames)
    still, moving = (motion_of(tmp_path / f"{n}.avi", 8) for n in (1, 2))
    assert still.shape == moving.shape == (1, 5, 5, 8)
    assert not still.any() and moving.any()


def film(path, shift, fps=25, frames=9, step=1):
    """A lossless clip of a textured square that moves over a still textured ground;
    with a step of -1 in a mirror.
    """
    ffv1 = cv2.VideoWriter_fourcc(*"FFV1")
    writer = cv2.VideoWriter(str(path), ffv1, fps, (160, 120))
    ground, square = textured(size=(120, 160)), 255 - textured(size=(40, 40))
    for number in range(frames):
        frame, left = ground.copy(), 60 + shift * (number - frames // 2)
        frame[30:70, left : left + 40] = square
        writer.write(cv2.cvtColor(frame[:, ::step].copy(), cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def directions(moved):
    """How much moves in each of the eight directions."""
    return moved.sum(axis=(0, 1, 2))


@pytest.mark.parametrize("shift", [4, -4])
def test_everybody_travels_to_the_left(tmp_path, shift):
    moved = motion_of(film(tmp_path / "clip.avi", shift), 6)
    assert moved.shape == (6, 5, 5, 8) and directions(moved).argmax() == 4  # half turn
    other = motion_of(film(tmp_path / "mirrored.avi", shift, step=-1), 6)
    assert np.abs(moved - other).mean() < 0.15 * moved.mean()


def test_motion_is_counted_in_seconds_not_in_frames(tmp_path):
    slow = directions(motion_of(film(tmp_path / "slow.avi", 2, fps=50), 6))[4]
    clip = film(tmp_path / "fast.avi", 4, fps=25)
    fast = directions(motion_of(clip, 6))[4]
    assert slow == pytest.approx(fast, rel=0.25)  # 100 pixels a second, both of them
    claim_rate(clip, microseconds_per_frame=1000, rate=1000, scale=1)
    assert directions(motion_of(clip, 6))[4] == fast  # nobody believes 1,000 a second
