"""Networks that begin anew without being compiled again."""

from toolbox.models.sequences import anew

import keras
import numpy as np
import pytest
from keras import layers


def small(width, classes):
    """One layer, compiled."""
    layer = layers.Dense(classes, "softmax")
    model = keras.Sequential([keras.Input((width,)), layers.Dropout(0.1), layer])
    model.compile(keras.optimizers.AdamW(0.1), "sparse_categorical_crossentropy")
    return model


@pytest.fixture(scope="module")
def data():
    """The class is which of two numbers is larger."""
    rows = np.random.default_rng(0).uniform(size=(60, 2)).astype("float32")
    return rows, rows.argmax(axis=1)


def learned(data):
    model = anew(small, 2, 2)
    model.fit(*data, epochs=12, verbose=0)
    return model.predict_on_batch(data[0])


def test_each_training_begins_anew_and_is_the_same(data):
    rows, classes = data
    untrained = anew(small, 2, 2).predict_on_batch(rows)
    said = learned(data)
    assert np.mean(said.argmax(axis=1) == classes) > 0.8
    learned((rows, 1 - classes))
    assert np.allclose(learned(data), said, atol=1e-4)
    assert np.allclose(anew(small, 2, 2).predict_on_batch(rows), untrained)


def test_a_network_is_built_once_for_the_same_arguments():
    assert anew(small, 2, 3) is anew(small, 2, 3) and anew(small, 3, 3) is not anew(
        small, 2, 3
    )
