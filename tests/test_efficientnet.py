"""EfficientNet-Lite: genuine weights, its engines, and pickles that are refused."""

import os
import pickle

from toolbox.models import efficientnet
from toolbox.models.efficientnet import SIZES, efficientnet_weights, preprocess_input
from toolbox.models.imagenet import imagenet_classes, named_by_imagenet
from toolbox.page import in_threads

import cv2
import numpy as np
import pytest
import skimage.data

ENGINES = ["Keras float32", "LiteRT float32"]


def square(picture, size):
    """The middle of a picture, scaled down: uint8 (1, size, size, 3)."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = picture[top : top + side, left : left + side]
    return cv2.resize(middle, (size, size), interpolation=cv2.INTER_AREA)[None]


# an Egyptian cat, 285, and an espresso, 967
SURE = [(0, 0.40, 0.94), (1, 0.54, 0.61), (2, 0.61, 0.90)]
SURE = [SURE[0], *(pytest.param(*one, marks=pytest.mark.slow) for one in SURE[1:])]


@pytest.mark.parametrize(("lite", "cat", "coffee"), SURE)
def test_the_weights_are_genuine(weights_folder, lite, cat, coffee):
    path = efficientnet_weights(weights_folder, lite)
    model = efficientnet.load_efficientnet(path, lite)
    for name, number, sure in (("cat", 285, cat), ("coffee", 967, coffee)):
        pixels = preprocess_input(square(getattr(skimage.data, name)(), SIZES[lite][2]))
        [said] = model.predict(pixels, verbose=0)
        assert said.argmax() == number and said.max() == pytest.approx(sure, abs=0.01)


def test_pictures_get_names_of_imagenets_classes(weights_folder):
    names = imagenet_classes()
    assert len(names) == len(set(names)) == 1000
    known = skimage.data.cat(), skimage.data.coffee()
    pictures = [square(picture, 224)[0] for picture in known]
    named = named_by_imagenet(weights_folder, pictures)
    assert named == ["Egyptian cat, 40%", "espresso, 94%"]


@pytest.fixture(scope="module")
def frames():
    """Two pictures and two of noise: uint8 (4, 224, 224, 3)."""
    pictures = [square(skimage.data.cat(), 224), square(skimage.data.coffee(), 224)]
    noise = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), "uint8")
    return np.concatenate([*pictures, noise])


def test_engines_agree(weights_folder, frames):
    layers = "widened_11", "head"
    keras, litert = (
        efficientnet.efficientnet_backbone(weights_folder, layers, engine=engine)
        for engine in ENGINES
    )
    assert keras.facts == litert.facts
    first = {"layers": layers[:1]}
    means = [network.using(pooled=True)(frames) for network in (keras, litert)]
    maps = [network.using(**first)(frames) for network in (keras, litert)]
    with pytest.raises(ValueError, match="don't fit together"):
        litert(frames)
    for one, other in (means, maps):
        assert one.dtype == other.dtype == np.float32
        assert np.linalg.norm(one - other) < 1e-4 * np.linalg.norm(one)
    assert means[1].shape == (4, *litert.using(pooled=True).shape)
    assert maps[1].shape == (4, *litert.using(**first).shape)
    width = maps[0].shape[-1]
    assert np.allclose(means[0][:, :width], maps[0].mean(axis=(1, 2)), atol=1e-4)


def test_a_rule_chooses_the_engine(monkeypatch):
    for gpu, litert, best in ((1, 1, 0), (0, 1, 1), (0, 0, 0)):
        monkeypatch.setattr(efficientnet, "has_gpu", lambda gpu=gpu: gpu)
        monkeypatch.setattr(efficientnet, "has_litert", lambda litert=litert: litert)
        assert efficientnet.efficientnet_backbone("nowhere").engine == ENGINES[best]
    with pytest.raises(ValueError, match="can't be computed by 'abacus'"):
        efficientnet.efficientnet_backbone("nowhere", engine="abacus")


def test_layers_have_the_shapes_of_the_paper(weights_folder):
    shapes = efficientnet.efficientnet_backbone(weights_folder).load()[1]
    expected = {"stem": (112, 112, 32), "narrowed_00": (112, 112, 16)}
    expected |= {"widened_11": (14, 14, 672), "widened_14": (7, 7, 1152)}
    expected |= {"narrowed_15": (7, 7, 320), "head": (7, 7, 1280)}
    assert {name: shapes[name] for name in expected} == expected


class Harmful:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_pickle_that_names_anything_else_is_refused(weights_folder, tmp_path):
    with pytest.raises(pickle.UnpicklingError, match="system is no part of a tensor"):
        list(efficientnet.read_tensors(pickle.dumps(Harmful(), 2)))
    other = efficientnet.build_efficientnet()
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ValueError, match=r"other\.weights\.h5 can't be used"):
        efficientnet.load_efficientnet(tmp_path / "other.weights.h5")


def test_threads_take_turns(weights_folder, frames):
    network = efficientnet.efficientnet_backbone(weights_folder, engine=ENGINES[1])
    network = network.using(pooled=True)
    expected = [network(frames[k : k + 1]) for k in range(4)]
    found = in_threads(lambda k: network(frames[k % 4 : k % 4 + 1]), range(24), 4)
    assert all(np.array_equal(one, expected[k % 4]) for k, one in enumerate(found))


def test_weights_that_are_damaged_are_no_fault_of_the_clip(
    weights_folder, frames, tmp_path
):
    [whole] = weights_folder.glob("efficientnet_lite0_imagenet.weights.h5")
    broken = whole.read_bytes()[:-1000]
    (tmp_path / whole.name).write_bytes(broken)
    network = efficientnet.efficientnet_backbone(tmp_path, ("head",), engine=ENGINES[0])
    with pytest.raises(RuntimeError, match=r"Keras float32: .* can't be used"):
        network(frames)
