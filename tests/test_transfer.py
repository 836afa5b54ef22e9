"""Notebook 04: frames for the network, features on disk, batches and the head."""

from toolbox.clips.read import load_frame, to_network_size
from toolbox.models.frame_features import (
    FeatureBatches,
    extract_features,
    predict_features,
)
from toolbox.models.vgg16 import vgg16_backbone
from toolbox.store.files import save_array, write_jpeg

import keras
import numpy as np
import pytest

from lessons.transfer import divide_by_255, make_head


def write_picture(path, seed):
    """Write a picture of coloured blocks, another one for each seed."""
    blocks = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    write_jpeg(np.kron(blocks, np.ones((16, 16, 1), np.uint8)), path)
    return path


@pytest.fixture
def pictures(tmp_path):
    return [write_picture(tmp_path / f"{seed}.jpg", seed) for seed in range(3)]


@pytest.fixture(scope="module")
def network(weights_folder):
    return vgg16_backbone(weights_folder, divide_by_255, "Keras float32")


def test_frames_of_any_size_become_rgb_and_shrinking_averages():
    blue = np.full((240, 320, 3), (255, 0, 0), np.uint8)  # OpenCV's first is blue
    for fitted in (to_network_size(blue[:1, :1]), to_network_size(blue)):
        assert fitted.shape == (224, 224, 3) and fitted.dtype == np.uint8
        assert (fitted == (0, 0, 255)).all()
    stripes = np.zeros((672, 672, 3), np.uint8)
    stripes[:, ::3] = 240  # skipping columns or interpolating gives no third
    assert set(to_network_size(stripes).ravel().tolist()) == {80}


def test_features_are_the_bases_and_computed_again_when_they_must_be(
    tmp_path, pictures, network, base
):
    target = tmp_path / "features.npy"

    def features(paths, network):
        extract_features(paths, network, target, batch_size=2)
        return np.load(target)

    first = features(pictures, network)
    assert first.dtype == np.float16 and first.shape == (3, 7, 7, 512)
    frames = np.stack([*map(load_frame, pictures)]).astype("float32") / 255
    assert np.allclose(first, base.predict_on_batch(frames), rtol=2e-3, atol=1e-3)
    written = target.stat().st_mtime_ns
    features(pictures, network)
    assert target.stat().st_mtime_ns == written
    halves = network.using(preprocess=lambda frames: frames.astype("float32") / 128)
    assert not np.allclose(features(pictures, halves), first)
    assert np.allclose(features(pictures[::-1], network), first[::-1], atol=1e-2)
    write_picture(pictures[1], seed=99)
    assert not np.allclose(features(pictures, network)[1], first[1])


def test_a_damaged_frame_is_named_and_no_features_pass_for_complete(
    tmp_path, pictures, network
):
    target = tmp_path / "features.npy"
    for content in (b"", pictures[2].read_bytes()[:-2]):
        pictures[2].write_bytes(content)
        with pytest.raises(ValueError, match=r"2\.jpg"):
            load_frame(pictures[2])
    with pytest.raises(ValueError, match=r"2\.jpg"):
        extract_features(pictures, network, target, batch_size=1)
    assert not target.exists()
    write_picture(pictures[2], 2)
    extract_features(pictures, network, target, batch_size=1)
    assert np.load(target).any(axis=(1, 2, 3)).all()


ROWS = np.random.default_rng(1).permutation(60)[:45]


@pytest.fixture
def batches_of(tmp_path):
    """A function that makes batches of 45 of 60 small features."""
    file = tmp_path / "features.npy"
    save_array(np.random.default_rng(0).random((60, 2, 2, 8)).astype("float16"), file)
    labels = np.eye(45, dtype="float32")  # each row can be told by its label
    return lambda seed=None: FeatureBatches(file, ROWS, labels, 4.0, 10, seed)


def rows_seen(batches):
    """The rows in the order of the batches, whose features are checked."""
    parts = [batches[index] for index in range(len(batches))]
    assert [len(labels) for _, labels in parts] == [10, 10, 10, 10, 5]
    features, labels = map(np.concatenate, zip(*parts, strict=True))
    rows = ROWS[labels.argmax(axis=1)]
    expected = np.load(batches.file)[rows].reshape(45, -1).astype("float32") / 4
    assert features.dtype == np.float32 and np.array_equal(features, expected)
    return rows.tolist()


def test_rows_come_in_order_or_in_another_order_in_each_epoch_of_a_seed(batches_of):
    orders = []
    for batches in map(batches_of, (None, 1, 1, 2)):
        for _ in range(2):
            orders.append(rows_seen(batches))
            batches.on_epoch_end()
    assert orders[0] == orders[1] == ROWS.tolist()
    assert all(sorted(order) == sorted(ROWS) for order in orders)
    assert orders[2:4] == orders[4:6] != orders[6:]
    assert len({tuple(sorted(order[:10])) for order in orders}) == 5


def test_a_head_judges_all_rows_of_a_file_or_some(batches_of):
    file = batches_of().file
    head = keras.Sequential([keras.Input((32,)), keras.layers.Dense(3, "softmax")])
    inputs = np.load(file).reshape(60, -1).astype("float32") / 4
    expected = head.predict(inputs, verbose=0)
    assert np.allclose(predict_features(head, file, 4.0), expected, atol=1e-6)
    some = predict_features(head, file, 4.0, ROWS)
    assert np.allclose(some, expected[ROWS], atol=1e-6)


def test_the_head_is_that_of_the_recipe():
    head = make_head(14)
    assert [layer.units for layer in head.layers[::2]] == [1024, 512, 256, 128, 14]
    assert [layer.rate for layer in head.layers[1::2]] == [0.5] * 4
    assert head.input_shape == (None, 25088)
