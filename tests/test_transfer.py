"""Notebook 04: frames for the network, features on disk, batches and the head."""

from toolbox.clips.read import load_frame, to_network_size
from toolbox.models.vgg16 import vgg16_backbone
from toolbox.store.files import save_array, write_jpeg

import keras
import numpy as np
import pytest
from clips import cut, kill_when, run_python, start_python

from lessons.transfer import (
    FeatureBatches,
    divide_by_255,
    extract_features,
    make_head,
)


def write_picture(path, seed, size=(64, 48)):
    """Write a picture of coloured blocks, another one for each seed."""
    blocks = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    step = size[1] // 3, size[0] // 4
    write_jpeg(np.kron(blocks, np.ones((*step, 1), np.uint8)), path)
    return path


@pytest.fixture
def pictures(tmp_path):
    """Five different JPEG files."""
    (tmp_path / "frames").mkdir()
    return [
        write_picture(tmp_path / "frames" / f"{seed}.jpg", seed) for seed in range(5)
    ]


@pytest.fixture(scope="module")
def network(weights_folder):
    """VGG16 with the recipe's preprocessing."""
    return vgg16_backbone(weights_folder, divide_by_255, "Keras float32")


# Frames for the network


def test_frames_become_rgb():
    blue = np.zeros((48, 64, 3), np.uint8)
    blue[..., 0] = 255  # OpenCV's first channel is blue
    assert to_network_size(blue)[0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    "shape", [(8, 8), (1, 1), (240, 320), (80, 48), (2160, 3840), (224, 224)]
)
def test_frames_of_any_size_fit(shape):
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    fitted = to_network_size(frame)
    assert fitted.shape == (224, 224, 3)
    assert fitted.dtype == np.uint8
    assert abs(fitted.mean() - frame.mean()) < 10


def test_shrinking_averages():
    """Of three columns one is bright: skipping or interpolating would not give a
    third.
    """
    stripes = np.zeros((672, 672, 3), np.uint8)
    stripes[:, ::3] = 240
    assert set(to_network_size(stripes).ravel().tolist()) == {80}


def test_divide_by_255():
    scaled = divide_by_255(np.array([0, 51, 255], np.uint8))
    assert scaled.dtype == np.float32
    assert scaled.tolist() == pytest.approx([0, 0.2, 1])


def test_a_frame_that_cannot_be_read_is_named(pictures):
    whole = pictures[0].read_bytes()
    assert load_frame(pictures[0]).shape == (224, 224, 3)
    for content in (b"", whole[:100], whole[:-2], b"\xff\xd8 nothing inside \xff\xd9"):
        pictures[0].write_bytes(content)
        with pytest.raises(
            ValueError, match=r"0\.jpg is not a complete JPEG file.*notebook 01"
        ):
            load_frame(pictures[0])
    pictures[0].unlink()
    with pytest.raises(ValueError, match=r"0\.jpg is not a complete JPEG file"):
        load_frame(pictures[0])


# Features on disk


def test_features_are_those_of_the_base_in_the_order_of_the_frames(
    tmp_path, pictures, network, base
):
    extract_features(pictures, network, tmp_path / "features.npy", batch_size=2)
    features = np.load(tmp_path / "features.npy")
    assert features.dtype == np.float16
    assert features.shape == (5, 7, 7, 512)
    for path, feature in zip(pictures, features, strict=True):
        expected = base.predict_on_batch(divide_by_255(load_frame(path)[None]))[0]
        assert np.allclose(feature, expected, rtol=2e-3, atol=1e-3)


def test_pooled_features_are_means_over_the_places(tmp_path, pictures, network):
    extract_features(pictures, network, tmp_path / "whole.npy", batch_size=2)
    extract_features(
        pictures, network.using(pooled=True), tmp_path / "pooled.npy", batch_size=3
    )
    whole, pooled = np.load(tmp_path / "whole.npy"), np.load(tmp_path / "pooled.npy")
    assert pooled.shape == (5, 512)
    assert np.allclose(
        pooled, whole.astype("float32").mean(axis=(1, 2)), rtol=2e-3, atol=1e-3
    )


def test_features_are_computed_again_when_what_they_depend_on_changes(
    tmp_path, pictures, network
):
    """Another frame, other frames, a preprocessing that does something else under
    the same name.
    """
    target = tmp_path / "features.npy"

    def mean_after(paths, network):
        extract_features(paths, network, target, batch_size=4)
        return np.load(target).astype("float32").mean(axis=(1, 2, 3))

    def same_name():
        def divide_by_255(frames):
            return frames.astype("float32") / 128

        return divide_by_255

    first = mean_after(pictures[:2], network)
    written = target.stat().st_mtime_ns
    assert np.array_equal(mean_after(pictures[:2], network), first)
    assert target.stat().st_mtime_ns == written
    assert not np.allclose(
        mean_after(pictures[:2], network.using(preprocess=same_name())), first
    )
    assert np.allclose(mean_after(pictures[1::-1], network), first[::-1], rtol=1e-2)
    write_picture(pictures[1], seed=99)
    second = mean_after(pictures[:2], network)
    assert np.allclose(second[0], first[0], rtol=1e-2) and not np.allclose(
        second[1], first[1]
    )


def test_a_damaged_frame_is_named_and_no_features_pass_for_complete(
    tmp_path, pictures, network
):
    target = tmp_path / "features.npy"
    whole = pictures[2].read_bytes()
    cut(pictures[2], 0.5)
    with pytest.raises(ValueError, match=r"2\.jpg is not a complete JPEG file"):
        extract_features(pictures[:3], network, target, batch_size=1)
    assert not target.exists()
    pictures[2].write_bytes(whole)
    extract_features(pictures[:3], network, target, batch_size=1)
    assert np.load(target).any(axis=(1, 2, 3)).all()


EXTRACT = """
import sys
from pathlib import Path
from toolbox.models.vgg16 import vgg16_backbone
from lessons.transfer import divide_by_255, extract_features
paths = sorted(Path(sys.argv[1]).glob("*.jpg"))
network = vgg16_backbone(sys.argv[2], divide_by_255, sys.argv[4])
extract_features(paths, network, Path(sys.argv[3]), batch_size=2)
"""


def test_killed_features_go_on_and_are_the_same_to_the_last_bit(
    tmp_path, weights_folder, network
):
    frames = tmp_path / "frames"
    frames.mkdir()
    pictures = [write_picture(frames / f"{seed:02}.jpg", seed) for seed in range(16)]
    target = tmp_path / "killed" / "features.npy"
    unfinished = target.with_suffix(".unfinished")
    arguments = frames, weights_folder, target, network.engine
    run = start_python(EXTRACT, *arguments)
    kill_when(
        run, lambda: unfinished.exists() and unfinished.stat().st_size > 4 * 50_176
    )
    there = unfinished.stat().st_size
    assert not target.exists()
    assert f"{there // 50_176 // 2 * 2}/16" in run_python(EXTRACT, *arguments)
    extract_features(pictures, network, tmp_path / "features.npy", batch_size=2)
    assert target.read_bytes() == (tmp_path / "features.npy").read_bytes()


# Batches and the head


@pytest.fixture
def features(tmp_path):
    """A file of 45 small features."""
    features = np.random.default_rng(0).random((60, 2, 2, 8)).astype("float16")
    save_array(features, tmp_path / "features.npy")
    return tmp_path / "features.npy"


ROWS = np.random.default_rng(1).permutation(60)[:45]
LABELS = np.eye(45, dtype="float32")  # each row can be told by its label


def whole(batches):
    """The batches of a PyDataset, in their order."""
    return [batches[index] for index in range(len(batches))]


def test_without_a_seed_rows_come_in_the_order_asked_for(features):
    batches = FeatureBatches(features, ROWS, LABELS, 4.0, batch_size=10)
    assert [len(labels) for _, labels in whole(batches)] == [10, 10, 10, 10, 5]
    for _ in range(2):
        assert rows_seen_in_order(batches) == ROWS.tolist()
        batches.on_epoch_end()


def rows_seen_in_order(batches):
    """`rows_seen` of all batches."""
    parts = whole(batches)
    labels = np.concatenate([labels for _, labels in parts])
    features = np.concatenate([features for features, _ in parts])
    rows = ROWS[labels.argmax(axis=1)]
    expected = np.load(batches.file)[rows].reshape(len(rows), -1).astype("float32") / 4
    assert features.dtype == np.float32
    assert np.array_equal(features, expected)
    return rows.tolist()


def test_with_a_seed_each_epoch_has_an_order_of_its_own(features):
    orders = []
    for seed in (1, 1, 2):
        batches = FeatureBatches(features, ROWS, LABELS, 4.0, batch_size=10, seed=seed)
        for _ in range(3):
            orders.append(rows_seen_in_order(batches))
            batches.on_epoch_end()
    assert all(sorted(order) == sorted(ROWS.tolist()) for order in orders)
    assert orders[:3] == orders[3:6] != orders[6:]
    first_batches = {tuple(sorted(order[:10])) for order in orders[:3]}
    assert len(first_batches) == 3


def test_fit_shuffles_once_an_epoch(features):
    """What `fit` sees is what the batches say: `on_epoch_end` is Keras' own hook."""
    batches = FeatureBatches(features, ROWS, LABELS, 4.0, batch_size=45, seed=1)
    before = batches.order.copy()
    head = keras.Sequential([keras.Input((32,)), keras.layers.Dense(45, "softmax")])
    head.compile("sgd", "categorical_crossentropy")
    head.fit(batches, epochs=2, shuffle=False, verbose=0)
    assert not np.array_equal(batches.order, before)


def test_predictions_come_in_the_order_of_the_rows(features):
    keras.utils.set_random_seed(1)
    head = keras.Sequential([keras.Input((32,)), keras.layers.Dense(3, "softmax")])
    said = head.predict(
        FeatureBatches(features, ROWS, LABELS, 4.0, batch_size=7), verbose=0
    )
    flat = np.load(features)[ROWS].reshape(45, -1).astype("float32") / 4
    assert np.allclose(said, head.predict_on_batch(flat), atol=1e-5)


def test_the_head_is_that_of_the_recipe():
    head = make_head(14)
    widths = [
        layer.units for layer in head.layers if isinstance(layer, keras.layers.Dense)
    ]
    assert widths == [1024, 512, 256, 128, 14]
    rates = [
        layer.rate for layer in head.layers if isinstance(layer, keras.layers.Dropout)
    ]
    assert rates == [0.5] * 4
    assert head.input_shape == (None, 25088)
    assert head.layers[-1].activation is keras.activations.softmax
    assert {layer.activation for layer in head.layers[:-1:2]} == {
        keras.activations.relu
    }
