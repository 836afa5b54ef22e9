"""Notebook 11: windows, their description, clips to classes, live, the script."""

import sys
from itertools import islice

from toolbox.clips.read import frames_shown, to_network_size
from toolbox.models.clip_features import as_array, look_at

import cv2
import keras
import nbformat
import numpy as np
import pytest
from clips import COURSE, write_clip
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from lessons.own_videos import ClipClassifier, Live, describe, moments_of, windows_of


class MeanColour:
    """A network for tests: RGB uint8 (n, 224, 224, 3) to the mean colours (n, 3);
    remembers n.
    """

    size = 224

    def __init__(self):
        self.sizes = []

    def __call__(self, frames):
        assert frames.shape[1:] == (224, 224, 3) and frames.dtype == np.uint8
        self.sizes.append(len(frames))
        return frames.mean(axis=(1, 2)).astype("float32")


def column(*numbers):
    return np.array(numbers, "float32")[:, None]


@pytest.mark.parametrize(
    ("frames", "hop", "expected"),
    [
        (6, 1, [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]),
        (6, 2, [[0, 1, 2, 3], [2, 3, 4, 5]]),
        (7, 2, [[0, 1, 2, 3], [2, 3, 4, 5]]),
        (4, 2, [[0, 1, 2, 3]]),
        (3, 2, [[0, 1, 1, 2]]),  # frames 0, 0.67, 1.33, 2, rounded
        (2, 2, [[0, 0, 1, 1]]),
        (1, 1, [[0, 0, 0, 0]]),
    ],
)
def test_windows_are_frames_in_a_row(frames, hop, expected):
    windows = windows_of(column(*range(frames)), 4, hop)
    assert windows[..., 0].tolist() == expected
    assert windows.shape == (len(expected), 4, 1) and windows.dtype == np.float32


def test_a_description_by_hand():
    """0, 4, 4, 8: mean 4, variance 8, mean step 8/3, change 6 - 2; only their roots'
    share counts. Falling, the change is negative.
    """
    still = np.array([4, np.sqrt(8), 8 / 3]) ** 0.5
    still /= np.linalg.norm(still)
    rows = np.asarray(describe(np.stack([column(0, 4, 4, 8), column(8, 4, 4, 0)])))
    assert np.allclose(rows, [[*still, 1], [*still, -1]], atol=1e-6)


@pytest.mark.parametrize("size", [2, 5, 8])
def test_features_are_kept_apart_and_backwards_only_the_change_is_another(size):
    windows = np.random.default_rng(0).uniform(0, 9, (5, size, 6)).astype("float32")
    half, steps = size // 2, np.abs(np.diff(windows, axis=1)).mean(axis=1)
    still = np.sqrt(np.hstack([windows.mean(axis=1), windows.std(axis=1), steps]))
    change = windows[:, -half:].mean(axis=1) - windows[:, :half].mean(axis=1)
    way = np.sign(change) * np.sqrt(np.abs(change))
    parts = [
        part / np.linalg.norm(part, axis=1, keepdims=True) for part in (still, way)
    ]
    assert np.allclose(describe(windows), np.hstack(parts), atol=1e-5)
    backwards = np.hstack([parts[0], -parts[1]])
    assert np.allclose(describe(windows[:, ::-1]), backwards, atol=1e-5)
    assert np.allclose(describe(3 * windows), np.hstack(parts), atol=1e-5)


def test_where_nothing_moves_only_the_look_counts():
    rows = np.asarray(describe(np.array([[[9, 16]] * 4, [[0, 0]] * 4], "float32")))
    assert np.allclose(rows[0], [0.6, 0.8, 0, 0, 0, 0, 0, 0], atol=1e-6)
    assert np.array_equal(rows[1], np.zeros(8))


def clips_of(levels, lengths, noise=0.5, seed=0):
    """A clip of each length, its four features about its level: two high ones at 1,
    two at -1.
    """
    rng, way = np.random.default_rng(seed), np.array([1, 1, -1, -1])
    pairs = zip(levels, lengths, strict=True)
    return as_array([5 + k * way + rng.uniform(0, noise, (n, 4)) for k, n in pairs])


def test_clips_of_any_length_are_told_apart():
    labels = np.resize(["left", "middle", "right"], 30)
    levels, lengths = np.resize([-1, 0, 1], 30), np.resize([1, 3, 4, 5, 17], 30)
    fitted = ClipClassifier(4).fit(clips_of(levels, lengths), labels)
    unseen = clips_of(levels, lengths, seed=1)
    said = fitted.predict_proba(unseen)
    assert said.shape == (30, 3) and np.allclose(said.sum(axis=1), 1)
    assert list(fitted.predict(unseen)) == list(labels)


def test_a_clips_probabilities_are_the_mean_over_all_its_windows():
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
    weighted mean of its probabilities of a class is the class's weighted share. The
    long clips are of class b alone, and there are three times as many of class a;
    each clip's windows, half a window apart, share its weight.
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


def test_where_one_class_is_all_there_is_it_is_the_answer():
    clips = clips_of([0, 1, 2], [3, 5, 9])
    fitted = ClipClassifier(4).fit(clips[:2], np.array(["a", "a"]))
    assert list(fitted.classes_) == ["a"] and list(fitted.predict(clips)) == ["a"] * 3
    assert np.array_equal(fitted.predict_proba(clips), np.ones((3, 1)))


def test_scikit_learn_can_handle_it():
    model = ClipClassifier(4, balance=False)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(size=8).size == 8
    labels = np.resize(["a", "b"], 20)
    clips = clips_of(np.resize([-1, 1], 20), [9] * 20)
    assert list(cross_val_score(model, clips, labels, cv=4)) == [1] * 4
    assert not hasattr(model, "linear_")  # clones were fitted


def test_a_moment_is_the_mean_of_the_windows_that_contain_it():
    """Windows of 3 frames begin at 0, 1 and 2, so frame 2 is in all of them. Windows
    that are equally sure weigh the same; one that is half as sure weighs a
    sixteenth.
    """
    windows = np.array([[0, 0.8, 0.2], [0.8, 0.1, 0.1], [0.8, 0.2, 0]])
    moments = moments_of(windows, 3, 5)
    assert np.allclose(moments[:, 0], [0, 0.4, 1.6 / 3, 0.8, 0.8])
    unsure = np.array([[1, 0, 0], [0.5, 0.5, 0]])
    assert np.allclose(moments_of(unsure, 2, 3)[1, 1], 0.5 / 17)


@pytest.mark.parametrize("frames", [1, 3, 4])
def test_all_moments_of_a_short_video_are_its_one_window(frames):
    features = column(*range(frames))
    said = np.full((len(windows_of(features, 4)), 2), [0.2, 0.8])
    assert np.allclose(moments_of(said, 4, frames), [[0.2, 0.8]] * frames)


def test_windows_of_one_frame_are_the_moments():
    windows = np.random.default_rng(0).uniform(0, 1, (6, 3))
    assert np.allclose(moments_of(windows, 1, 6), windows)


@pytest.fixture
def head():
    """A small head that minds the order: windows (n, 4, 3) to probabilities (n, 2)."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Rescaling(1 / 128), keras.layers.Flatten()]
    layers = [keras.Input((4, 3)), *layers, keras.layers.Dense(2, "softmax")]
    return keras.Sequential(layers)


def test_live_says_what_is_said_of_the_file(tmp_path, head):
    clip = write_clip(tmp_path / "clip.mp4", frames=75)
    features = look_at(clip, MeanColour(), 4)
    offline = head.predict(windows_of(features, 4), verbose=0)
    live, other = Live(head, MeanColour(), 4), Live(head, MeanColour(), 4)
    streamed = []
    for frame in frames_shown(clip, 4):
        streamed.append(live(frame))
        other(255 - frame)  # another stream beside it changes nothing
    assert len(streamed) == 12 and streamed[0].shape == (2,)
    assert np.allclose(streamed[3:], offline, atol=1e-5)
    assert np.ptp(offline[:, 0]) > 0.001
    begun = np.concatenate([windows_of(features[:n], 4) for n in (1, 2, 3)])
    assert np.allclose(streamed[:3], head.predict(begun, verbose=0), atol=1e-5)


def test_live_looks_at_each_frame_once_and_forgets_old_ones(head):
    network = MeanColour()
    live = Live(head, network, 4)
    blue = np.zeros((48, 64, 3), np.uint8)
    blue[..., 0] = 255  # OpenCV's first channel is blue
    for shade in range(10):
        live(np.full((48, 64, 3), 20 * shade, np.uint8))
    said = [live(blue) for _ in range(4)]
    assert network.sizes == [1] * 14
    only_blue = np.tile(np.array([0, 0, 255], "float32"), (1, 4, 1))  # RGB
    assert np.allclose(said[-1], head.predict(only_blue, verbose=0)[0], atol=1e-5)
    assert not np.allclose(said[-2], said[-1], atol=1e-5)


@pytest.mark.parametrize("fps", [10, 12.5, 24, 30000 / 1001, 60])
@pytest.mark.parametrize("name", ["clip.avi", "clip.mp4"])
def test_the_copied_script_reads_the_frames_that_the_course_reads(
    tmp_path, monkeypatch, name, fps
):
    """It has its own lines for it, in a cell of notebook 11, since it runs without
    the course.
    """
    notebook = COURSE / "notebooks" / "11_classify_your_own_videos.ipynb"
    cells = nbformat.read(notebook, as_version=4).cells
    [script] = [c.source for c in cells if c.source.startswith("%%writefile")]
    reading = script[script.index("video = cv2") : script.index("shown = ")]
    path = write_clip(tmp_path / name, frames=round(6 * fps), fps=fps)
    arguments = ["use_classifier.py", "classifier.keras", str(path), "4"]
    monkeypatch.setattr(sys, "argv", arguments)
    known = {"cv2": cv2, "np": np, "sys": sys, "size": 20, "per_second": 4}
    exec(reading, known)
    expected = [to_network_size(frame) for frame in islice(frames_shown(path, 4), 20)]
    assert len(known["frames"]) == len(expected) == 20
    assert all(map(np.array_equal, known["frames"], expected))
