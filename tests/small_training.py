"""Notebook 04's training in small: sixty features of three classes, a small head."""

from pathlib import Path

from toolbox.models.frame_features import FeatureBatches
from toolbox.models.training import train_head
from toolbox.store.files import save_array

import keras
import numpy as np


def small_features(folder):
    """Write a file of 60 features of three classes, where the class shows."""
    features = np.random.default_rng(0).random((60, 2, 2, 8))
    features[np.arange(60), 0, 0, np.arange(60) % 3] += 2
    save_array(features.astype("float16"), folder / "features.npy")
    return folder / "features.npy"


def parts_of(file, wrong=False):
    """Batches of 45 rows for training (wrong labels, if wanted), 15 for validation."""
    rows = np.random.default_rng(1).permutation(60)
    labels = np.eye(3, dtype="float32")[rows % 3]
    taught = np.roll(labels, 1, axis=1) if wrong else labels
    train = FeatureBatches(file, rows[:45], taught[:45], 4.0, batch_size=10, seed=1)
    return train, FeatureBatches(file, rows[45:], labels[45:], 4.0, batch_size=10)


def new_head(seed=3):
    """A compiled head for the small features, the same one for the same seed."""
    keras.utils.set_random_seed(seed)
    dense, dropout = keras.layers.Dense, keras.layers.Dropout(0.2, name="dropout")
    layers = [dense(16, "relu", name="hidden"), dropout, dense(3, "softmax", name="c")]
    head = keras.Sequential([keras.Input((32,), name="features"), *layers], name="head")
    head.compile(
        keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"]
    )
    return head


def train_in(folder, features, epochs=8, patience=50, seed=3, wrong=False):
    """Train a head as notebook 04 does; returns it and its history."""
    parts, head = parts_of(Path(features), wrong), new_head(seed)
    weights = Path(folder) / "weights.hdf5"
    return head, train_head(head, *parts, weights, epochs, patience, seed)
