"""Notebook 04's training in small: sixty features of three classes, and a small
head.
"""

from pathlib import Path

from toolbox.models.training import FusedAdam, TrainingFolder
from toolbox.store.files import save_array

import keras
import numpy as np

from lessons.transfer import FeatureBatches, make_callbacks

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
    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(3, "softmax")]
    head = keras.Sequential([keras.Input((32,)), *layers])
    head.compile(FusedAdam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    return head


def train_in(folder, features, epochs=8, patience=50, seed=3, wrong=False, more=()):
    """Train a head as notebook 04 does; returns it and its TrainingFolder."""
    train, validation = parts_of(Path(features), wrong)
    head = new_head(seed)
    training = TrainingFolder(Path(folder), epochs, patience, seed, wrong)
    callbacks = [*make_callbacks(training, patience), *more]
    if not training.finished:
        head.fit(
            train,
            validation_data=validation,
            epochs=epochs,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
        training.finish()
    head.load_weights(training.best)
    return head, training
