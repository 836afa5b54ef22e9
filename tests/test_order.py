"""Notebook 08: descriptions and networks of order, the control."""

from toolbox.evaluation.order_control import IN_ORDER, SHUFFLED
from toolbox.models.clip_features import as_array
from toolbox.models.sequences import SequenceNetwork, padded, warm_up_and_cosine

import keras
import numpy as np
import pytest
from lessons_of import lesson
from sklearn.base import BaseEstimator, ClassifierMixin

order = lesson("08")
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
