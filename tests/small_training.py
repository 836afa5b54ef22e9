"""Notebook 04's training in small: sixty features of three classes, and a small
head.
"""

from pathlib import Path

from toolbox.models.training import FusedAdam
from toolbox.store.files import save_array

import keras
import numpy as np

from lessons.transfer import FeatureBatches, train_head

SCALE = 4.0


def small_features(folder):
    """Write a file of 60 features of three classes, where the class shows, under
    some noise.
    """
    rng = np.random.default_rng(0)
    features = rng.random((60, 2, 2, 8))
    features[np.arange(60), 0, 0, np.arange(60) % 3] += 2
    save_array(features.astype("float16"), folder / "features.npy")
    return folder / "features.npy"


def parts_of(features, wrong=False):
    """Batches of 45 rows for training, with wrong labels if wanted, and 15 for
    validation.
    """
    rows = np.random.default_rng(1).permutation(60)
    labels = np.eye(3, dtype="float32")[rows % 3]
    taught = np.roll(labels, 1, axis=1) if wrong else labels
    return (
        FeatureBatches(features, rows[:45], taught[:45], SCALE, batch_size=10, seed=1),
        FeatureBatches(features, rows[45:], labels[45:], SCALE, batch_size=10),
    )


def new_head(seed=3):
    """A compiled head for the small features, the same one for the same seed."""
    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Dense(16, "relu", name="hidden"),
        keras.layers.Dropout(0.2, name="dropout"),
        keras.layers.Dense(3, "softmax", name="classes"),
    ]
    head = keras.Sequential([keras.Input((32,), name="features"), *layers], name="head")
    head.compile(FusedAdam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    return head


def train_in(folder, features, epochs=8, patience=50, seed=3, wrong=False):
    """Train a head as notebook 04 does; returns it and its history."""
    train, validation = parts_of(Path(features), wrong)
    head = new_head(seed)
    weights = Path(folder) / "weights.hdf5"
    return head, train_head(head, train, validation, weights, epochs, patience, seed)
