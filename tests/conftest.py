"""What is slow to load is loaded once."""

import os

import pytest
from clips import COURSE

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def weights_folder():
    """Where the course keeps VGG16's weights."""
    return COURSE / "weights"


@pytest.fixture(scope="session")
def base(weights_folder):
    """VGG16's convolutional base with its ImageNet weights; fetched once if they aren't there."""
    from framevote.transfer import load_vgg16

    return load_vgg16(weights_folder)
