"""Notebook 04 in small: features of a few frames, and a head trained on them."""

from pathlib import Path

import keras
import numpy as np

from framevote.transfer import (
    FeatureBatches,
    extract_features,
    largest_value,
    load_vgg16,
    make_head,
    train_head,
)


def train_on(frames, work, weights_folder, base=None):
    """Compute features of the JPEG files in `frames`, train for six epochs, save it all in `work`.

    Returns the trained head and its history.
    """
    paths, work = sorted(Path(frames).glob("*.jpg")), Path(work)
    work.mkdir(exist_ok=True)
    features = work / "features.npy"
    extract_features(paths, base or load_vgg16(weights_folder), features, batch_size=4)
    rows = np.arange(len(paths))
    labels = np.eye(3, dtype="float32")[rows % 3]
    training, validation = rows[rows % 4 > 0], rows[rows % 4 == 0]
    scale = largest_value(features, training)
    keras.utils.set_random_seed(7)
    head = make_head(3)
    history = train_head(
        head,
        FeatureBatches(features, training, labels[training], scale, batch_size=6),
        FeatureBatches(features, validation, labels[validation], scale),
        work / "weights.hdf5",
        seed=7,
        max_epochs=6,
        checkpoint_seconds=0,
    )
    return head, history
