"""Notebook 04: frames for the network, features on disk, batches and the head."""

from toolbox.clips.read import load_frame, to_network_size
from toolbox.models.vgg16 import vgg16_backbone
from toolbox.store.files import save_array, write_jpeg

import keras
import numpy as np
import pytest
from clips import cut

from lessons.transfer import FeatureBatches, divide_by_255, extract_features, make_head


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


@pytest.mark.parametrize("shape", [(1, 1), (240, 320), (2160, 3840)])
def test_frames_of_any_size_become_rgb(shape):
    frame = np.full((*shape, 3), (255, 0, 0), np.uint8)  # OpenCV's first is blue
    fitted = to_network_size(frame)
    assert fitted.shape == (224, 224, 3) and fitted.dtype == np.uint8
    assert (fitted == (0, 0, 255)).all()


def test_shrinking_averages():
    """Of three columns one is bright: skipping or interpolating gives no third."""
    stripes = np.zeros((672, 672, 3), np.uint8)
    stripes[:, ::3] = 240
    assert set(to_network_size(stripes).ravel().tolist()) == {80}


def test_divide_by_255():
    scaled = divide_by_255(np.array([0, 51, 255], np.uint8))
    assert scaled.dtype == np.float32 and scaled.tolist() == pytest.approx([0, 0.2, 1])


def test_features_are_those_of_the_base_in_the_order_of_the_frames(
    tmp_path, pictures, network, base
):
    extract_features(pictures, network, tmp_path / "features.npy", batch_size=2)
    features = np.load(tmp_path / "features.npy")
    assert features.dtype == np.float16 and features.shape == (3, 7, 7, 512)
    frames = divide_by_255(np.stack([*map(load_frame, pictures)]))
    expected = base.predict_on_batch(frames)
    assert np.allclose(features, expected, rtol=2e-3, atol=1e-3)


def test_features_are_computed_again_when_what_they_depend_on_changes(
    tmp_path, pictures, network
):
    target = tmp_path / "features.npy"

    def means(paths, network):
        extract_features(paths, network, target)
        return np.load(target).astype("float32")

    network = network.using(pooled=True)
    first = means(pictures[:2], network)
    written = target.stat().st_mtime_ns
    means(pictures[:2], network)
    assert target.stat().st_mtime_ns == written
    halves = network.using(preprocess=lambda frames: frames.astype("float32") / 128)
    assert not np.allclose(means(pictures[:2], halves), first)
    assert np.allclose(means(pictures[1::-1], network), first[::-1], atol=1e-2)
    write_picture(pictures[1], seed=99)
    assert not np.allclose(means(pictures[:2], network)[1], first[1])


def test_a_damaged_frame_is_named_and_no_features_pass_for_complete(
    tmp_path, pictures, network
):
    target = tmp_path / "features.npy"
    picture = pictures[2].read_bytes()
    for content in (b"", picture[:-2], b"\xff\xd8 nothing inside \xff\xd9"):
        pictures[2].write_bytes(content)
        with pytest.raises(ValueError, match=r"2\.jpg"):
            load_frame(pictures[2])
    cut(write_picture(pictures[2], 2), 0.5)
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


def test_fit_shuffles_and_predict_keeps_the_order(batches_of):
    """`on_epoch_end` is Keras' own hook."""
    head = keras.Sequential([keras.Input((32,)), keras.layers.Dense(45, "softmax")])
    head.compile("sgd", "categorical_crossentropy")
    shuffled, batches = batches_of(1), batches_of()
    before = shuffled.order.copy()
    head.fit(shuffled, epochs=2, shuffle=False, verbose=0)
    assert not np.array_equal(shuffled.order, before)
    flat = np.load(batches.file)[ROWS].reshape(45, -1).astype("float32") / 4
    said = head.predict(batches, verbose=0)
    assert np.allclose(said, head.predict_on_batch(flat), atol=1e-5)


def test_the_head_is_that_of_the_recipe():
    head = make_head(14)
    dense, dropout = head.layers[::2], head.layers[1::2]
    assert [layer.units for layer in dense] == [1024, 512, 256, 128, 14]
    assert [layer.rate for layer in dropout] == [0.5] * 4
    assert head.input_shape == (None, 25088)
    said = [layer.activation.__name__ for layer in dense]
    assert said == ["relu"] * 4 + ["softmax"]
