"""Notebook 08: descriptions and networks of order, the control, the pairs."""

from toolbox.models.clip_features import as_array
from toolbox.models.sequences import anew

import numpy as np
import pytest
from lessons_of import lesson
from sklearn.base import BaseEstimator, ClassifierMixin

order = lesson("08")
USE_ORDER = [order.convolution, order.recurrent]
WAYS = ["ordered / ordered", "shuffled / shuffled"]
WAYS += ["ordered / shuffled", "ordered / backwards"]


@pytest.fixture(autouse=True)
def eight_steps(monkeypatch):
    monkeypatch.setattr(order, "STEPS", 8)
    monkeypatch.setattr(order, "EPOCHS", 12)


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


def test_departures_are_from_the_mean_of_the_clip():
    clip = np.array([[9.0, 16], [16, 9], [9, 16]])  # roots of unit length: 0.6, 0.8
    assert np.allclose(order.departures(clip)[:, 0], [-0.2 / 3, 0.4 / 3, -0.2 / 3])


def test_padding_stands_behind_the_end_and_the_mask_says_so():
    frames, mask = order.padded([np.full((2, 1), 7.0), np.full((3, 1), 8.0)])
    assert frames[:, :4, 0].tolist() == [[7, 7, 0, 0], [8, 8, 8, 0]]
    assert mask[:, :4].tolist() == [[True] * 2 + [False] * 2, [True] * 3 + [False]]
    assert frames.shape == (2, 8, 1) and frames.dtype == np.float32


@pytest.mark.parametrize("read", [order.mean_pooling, *USE_ORDER])
def test_only_models_of_order_notice_a_reversal_and_none_reads_the_padding(read):
    model = anew(order.network, read, 6, 3)
    frames, mask = order.padded(random_clips(4, 5))
    forwards = model.predict_on_batch([frames, mask])
    turned = frames.copy()
    turned[:, :5] = frames[:, 4::-1]
    backwards = model.predict_on_batch([turned, mask])
    assert np.allclose(forwards, backwards, atol=1e-5) == (read is order.mean_pooling)
    frames[:, 5:] = 9
    assert np.allclose(model.predict_on_batch([frames, mask]), forwards, atol=1e-4)


def rising_or_falling(n, seed=0):
    """Clips in which one feature rises or falls: the same frames, in another order."""
    rng = np.random.default_rng(seed)
    labels = np.array(["falls", "rises"])[rng.integers(2, size=n)]
    clips, ramp = rng.uniform(0, 1, size=(n, 8, 6)), np.linspace(0, 3, 8)
    clips[..., 0] += np.where(labels[:, None] == "rises", ramp, ramp[::-1])
    return as_array(list(clips.astype("float32"))), labels


@pytest.mark.parametrize("read", USE_ORDER)
def test_networks_learn_a_direction_in_time(read):
    model = order.SequenceClassifier(read, 0.01).fit(*rising_or_falling(160))
    unseen, expected = rising_or_falling(100, seed=1)
    assert np.mean(model.predict(unseen) == expected) > 0.85


def test_the_rate_climbs_and_falls():
    rates = [order.rate(epoch) for epoch in range(12)]
    assert np.allclose(rates[:2], [0.25, 0.5]) and max(rates) <= 1
    assert all(np.diff(rates[3:]) < 0) and 0 < rates[-1] < 0.1


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
    assert list(said) == WAYS
    assert np.array_equal(said["ordered / ordered"][:, 1], rises)
    assert np.array_equal(said["ordered / backwards"][:, 1], ~rises)
    # of shuffled clips it learns nothing
    assert (said["shuffled / shuffled"] == 0.5).all()
    assert 0.2 < np.mean(said["ordered / shuffled"][:, 1] == rises) < 0.8


class Names(ClassifierMixin, BaseEstimator):
    """Says of every clip how frequent the classes were."""

    def fit(self, clips, labels):
        self.classes_, count = np.unique(labels, return_counts=True)
        self.shares_ = count / len(labels)
        return self

    def predict_proba(self, clips):
        return np.tile(self.shares_, (len(clips), 1))


def test_a_class_of_one_group_has_no_chance_there():
    labels, groups = np.array(["a", "b", "a", "c"]), np.array(["1", "1", "2", "2"])
    said = order.examine(Names(), random_clips(4, 3), labels, groups, np.flipud)
    expected = [[0.5, 0, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0], [0.5, 0.5, 0]]
    for way in WAYS:
        assert said[way].tolist() == expected


LABELS = np.array(["a", "b"] * 12)
GROUPS = np.repeat(np.arange(6), 4).astype(str)


def answers_right(*shares):
    """What a method says that is right on these shares of clips, for each way."""
    truth, answers = (LABELS == "b").astype(int), {}
    for way, share in zip(WAYS, shares, strict=True):
        wrong = np.arange(len(LABELS)) % 4 >= 4 * share
        answers[way] = np.eye(2)[np.where(wrong, 1 - truth, truth)]
    return answers


def test_the_value_of_order_is_what_was_learned_in_order_beyond_shuffled():
    answers = {"reads": answers_right(1, 0.5, 0.25, 0)}
    row = order.worth_of_order(answers, LABELS, GROUPS).loc["reads"]
    assert row.tolist()[:4] == [100, 50, 25, 50] and row["low"] == row["high"] == 50


# Classes 1 and 2 are the pair, the last clip is of neither. Clip 0: 1 is said, and 2
# backwards (which is 1 now), both wrong; clip 1: both right; clip 2: 1, then 1.
def test_within_a_pair_only_its_two_answers_count():
    forwards = [[0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.9, 0, 0.1]]
    backwards = [[0.5, 0.2, 0.3], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.9, 0, 0.1]]
    both, truth = np.array([forwards, backwards]), np.array([2, 1, 1, 0])
    assert order.within_pair(*both, truth, [1, 2]).tolist() == [0, 1, 0.5]


@pytest.mark.parametrize("tie", [False, True])
def test_whoever_ignores_the_order_is_right_in_exactly_half(tie):
    same = np.random.default_rng(0).dirichlet([1, 1], size=24)
    same = np.full_like(same, 0.5) if tie else same
    truth = (LABELS == "b").astype(int)
    assert order.within_pair(same, same, truth, [0, 1]).mean() == 0.5
