"""What is slow to load is loaded once."""

import os

import pytest
from clips import COURSE
from pocket import copy_course, copy_pocket

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course, with the networks' weights."""
    return copy_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def pocket(tmp_path_factory):
    """A pocket-size mocap: three classes, three training groups and two to test."""
    return copy_pocket(tmp_path_factory.mktemp("videos") / "pocket")


@pytest.fixture(scope="session")
def weights_folder():
    """Where the course keeps the weights of networks."""
    return COURSE / "weights"


@pytest.fixture(scope="session")
def base(weights_folder):
    """VGG16's convolutional base with its ImageNet weights; fetched once if they
    aren't there.
    """
    from toolbox.models.vgg16 import vgg16_weights

    import keras

    weights = vgg16_weights(weights_folder)
    return keras.applications.VGG16(
        include_top=False, weights=weights, input_shape=(224, 224, 3)
    )
