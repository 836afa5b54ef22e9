"""Clips as padded sequences, and a network behind scikit-learn's interface."""

from toolbox.evaluation.groups_left_out import out_of_group
from toolbox.models.clip_features import as_array
from toolbox.models.sequences import SequenceNetwork, padded

import keras
import numpy as np
import pytest
from keras import layers


def small(length, width, classes):
    """The mean over time, then a softmax layer."""
    frames, mask = keras.Input((length, width)), keras.Input((length,), dtype="bool")
    mean = layers.GlobalAveragePooling1D()(layers.Dropout(0.1)(frames), mask=mask)
    return keras.Model([frames, mask], layers.Dense(classes, "softmax")(mean))


@pytest.fixture(scope="module")
def data():
    """Clips of 2 to 5 frames; the class is which of two channels is larger."""
    rng = np.random.default_rng(0)
    clips = [rng.uniform(size=(rng.integers(2, 6), 2)) for _ in range(60)]
    labels = np.array(["first", "second"])[[c.sum(axis=0).argmax() for c in clips]]
    return as_array(clips), labels


def network(peak=0.1):
    return SequenceNetwork(small, np.sqrt, 5, 12, lambda epoch: peak)


def test_padding_stands_behind_the_end_and_the_mask_says_so():
    frames, mask = padded([np.full((2, 1), 7.0), np.full((3, 1), 8.0)], 4)
    assert frames[..., 0].tolist() == [[7, 7, 0, 0], [8, 8, 8, 0]]
    assert mask.tolist() == [[True, True, False, False], [True, True, True, False]]
    assert frames.dtype == np.float32 and mask.dtype == bool
    with pytest.raises(ValueError, match="5 frames doesn't fit into 4"):
        padded([np.zeros((5, 1))], 4)


def test_a_network_learns_and_is_judged_out_of_group(data):
    clips, labels = data
    said = out_of_group(network(), clips, labels, np.repeat(["a", "b", "c"], 20))
    assert np.allclose(said.sum(axis=1), 1, atol=1e-5)
    assert np.mean(np.array(["first", "second"])[said.argmax(axis=1)] == labels) > 0.8


def test_every_training_begins_anew_and_earlier_networks_keep_their_weights(data):
    one = network().fit(*data)
    before = one.predict_proba(data[0])
    network(peak=0.5).fit(data[0], data[1][::-1])
    assert np.allclose(one.predict_proba(data[0]), before)
    assert np.allclose(network().fit(*data).predict_proba(data[0]), before, atol=1e-3)
    still = network(peak=0.0).fit(*data).predict_proba(data[0])  # the rate is used
    again = network(peak=0.0).fit(data[0], data[1][::-1])
    assert np.allclose(again.predict_proba(data[0]), still)
