"""Notebook 11: windows, their description, clips to classes, live, the script."""

from toolbox.models.answers import motion_of, still_below
from toolbox.models.clip_features import as_array

import numpy as np
import pytest

from lessons.own_videos import (
    ClipClassifier,
    describe,
    moments_of,
    windows_judged,
    windows_of,
)


def column(*numbers):
    return np.array(numbers, "float32")[:, None]


@pytest.mark.parametrize(
    ("frames", "hop", "expected"),
    [
        (6, 1, [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]),
        (7, 2, [[0, 1, 2, 3], [2, 3, 4, 5]]),
        (3, 2, [[0, 1, 2, 1]]),  # and back again
        (2, 1, [[0, 1, 0, 1]]),
        (1, 1, [[0, 0, 0, 0]]),
    ],
)
def test_windows_are_frames_in_a_row(frames, hop, expected):
    windows = windows_of(column(*range(frames)), 4, hop)
    assert windows[..., 0].tolist() == expected
    assert windows.shape == (len(expected), 4, 1) and windows.dtype == np.float32


def test_a_description_by_hand():
    """0, 4, 4, 8: mean 4, variance 8, mean step 8/3, change 6 - 2; two features: 0, 0,
    9, 9 beside 16s: means 4.5 and 16, deviation 4.5, mean step 3, change 9. Of all only
    the roots' share counts.
    """
    parts = [4, np.sqrt(8), 8 / 3], [4.5, 16, 4.5, 0, 3, 0]
    one, two = (np.sqrt(part) / np.sqrt(np.sum(part)) for part in parts)
    rows = describe(np.stack([column(0, 4, 4, 8), column(8, 4, 4, 0)]))
    assert np.allclose(rows, [[*one, 1], [*one, -1]], atol=1e-6)
    still = np.asarray(describe(np.array([[[9, 16]] * 4, [[0, 0]] * 4], "float32")))
    assert np.allclose(still, [[0.6, 0.8, *[0] * 6], [0] * 8], atol=1e-6)
    [row] = describe(np.hstack([column(0, 0, 9, 9), column(*[16] * 4)])[None])
    assert np.allclose(row, [*two, 1, 0], atol=1e-6)


@pytest.mark.parametrize("size", [2, 5])
def test_backwards_only_the_change_is_another_and_loudness_does_not_count(size):
    windows = np.random.default_rng(0).uniform(0, 9, (5, size, 6)).astype("float32")
    rows, backwards = np.asarray(describe(windows)), describe(windows[:, ::-1])
    assert np.allclose(backwards, rows * np.repeat([1, -1], [18, 6]), atol=1e-5)
    assert np.allclose(describe(3 * windows), rows, atol=1e-5)


def clips_of(levels, lengths, noise=0.5, seed=0):
    """A clip of each length, its four features about its level."""
    rng, way = np.random.default_rng(seed), np.array([1, 1, -1, -1])
    pairs = zip(levels, lengths, strict=True)
    return as_array([5 + k * way + rng.uniform(0, noise, (n, 4)) for k, n in pairs])


def test_clips_of_any_length_are_told_apart_by_the_mean_over_all_windows():
    labels = np.resize(["left", "middle", "right"], 30)
    levels, lengths = np.resize([-1, 0, 1], 30), np.resize([1, 3, 4, 5, 17], 30)
    fitted = ClipClassifier(4, strength=1).fit(clips_of(levels, lengths), labels)
    assert list(fitted.predict(clips_of(levels, lengths, seed=1))) == list(labels)
    labels = np.resize(["a", "b"], 20)
    clips = clips_of(np.resize([-0.2, 0.2], 20), [9] * 20, noise=2)
    fitted = ClipClassifier(4).fit(clips, labels)
    windows = np.stack([clips[0][start : start + 4] for start in range(6)])
    rows = fitted.scaler_.transform(np.asarray(describe(windows)))
    expected = fitted.linear_.predict_proba(rows).mean(axis=0)
    assert np.allclose(fitted.predict_proba(clips[:1]), [expected])


@pytest.mark.parametrize(
    ("balance", "weights", "expected"),
    [(True, [1] * 18 + [3] * 6, [1 / 2, 1 / 2]), (False, None, [3 / 4, 1 / 4])],
)
def test_each_clip_counts_the_same_and_with_balance_each_class(
    balance, weights, expected
):
    """A regression with an intercept says, on the whole, what it was told: the
    weighted mean of its probabilities of a class is the class's weighted share. Long
    clips are of class b alone; each clip's windows share its weight.
    """
    labels = np.array(["a"] * 18 + ["b"] * 6)
    lengths = np.array([4] * 12 + [9] * 6 + [60] * 4 + [5] * 2)
    clips = clips_of(np.where(labels == "a", -0.2, 0.2), lengths, noise=4)
    fitted = ClipClassifier(4, balance).fit(clips, labels)
    rows = (np.asarray(describe(windows_of(clip, 4, 2))) for clip in clips)
    rows = map(fitted.scaler_.transform, rows)
    learned = [fitted.linear_.predict_proba(of_clip).mean(axis=0) for of_clip in rows]
    share = np.average(learned, axis=0, weights=weights)
    assert np.allclose(share, expected, atol=0.005)


def test_a_moment_is_the_mean_of_the_windows_that_contain_it():
    """Frame 2 is in all three. Who is half as sure weighs a sixteenth."""
    windows = np.array([[0, 0.8, 0.2], [0.8, 0.1, 0.1], [0.8, 0.2, 0]])
    moments = moments_of(windows, 3, 5)
    assert np.allclose(moments[:, 0], [0, 0.4, 1.6 / 3, 0.8, 0.8])
    assert np.allclose(moments_of(np.array([[0.2, 0.8]]), 4, 3), [[0.2, 0.8]] * 3)
    unsure = np.array([[1, 0, 0], [0.5, 0.5, 0]])
    assert np.allclose(moments_of(unsure, 2, 3)[1, 1], 0.5 / 17)


class LastColumn:
    """A saved classifier for tests: windows of four frames to their last numbers."""

    def __init__(self):
        self.facts = {"size": 4}

    def judge(self, window):
        assert window.shape == (4, 2) and window.dtype == np.float32
        return window[-1]


@pytest.mark.parametrize("frames", [1, 3, 4, 9])
def test_windows_are_judged_as_soon_as_they_end(frames):
    rows = np.random.default_rng(0).random((frames, 2)).astype("float16")
    given = []

    def stream():
        for row in rows:
            given.append(row)
            yield row

    windows = windows_of(rows.astype("float32"), 4)
    found = []
    for said, moves in windows_judged(stream(), LastColumn()):
        assert len(given) == min(frames, len(found) + 4)
        found.append((said, moves))
    said, moves = map(np.stack, zip(*found, strict=True))
    assert np.array_equal(said, windows[:, -1])
    assert np.allclose(moves, list(map(motion_of, windows)))
    assert list(windows_judged(iter([]), LastColumn())) == []


def test_what_stands_still_does_not_move():
    still, rng = np.ones((5, 3), "float32"), np.random.default_rng(0)
    assert motion_of(still) == 0
    clips = as_array([rng.random((9, 3)), 1 + rng.random((4, 3)) / 10])
    by_hand = [np.mean([motion_of(w) for w in windows_of(c, 5)]) for c in clips]
    windows = [windows_of(clip, 5) for clip in clips]
    assert still_below(windows) == by_hand[1] / 2 < by_hand[0]
    assert motion_of(7 * clips[0]) == pytest.approx(motion_of(clips[0]))
