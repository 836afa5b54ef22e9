"""Puts the course's package on the path, and loads what is slow to load once."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "notebooks"))


@pytest.fixture(scope="session")
def weights_folder():
    """Where the course keeps VGG16's weights."""
    return Path(__file__).resolve().parent.parent / "weights"


@pytest.fixture(scope="session")
def base(weights_folder):
    """VGG16's convolutional base with its ImageNet weights; fetched once if they aren't there."""
    from framevote.features import load_vgg16

    return load_vgg16(weights_folder)
