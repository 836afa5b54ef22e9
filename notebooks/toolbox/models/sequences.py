"""Clips as sequences of one length with a mask, and a Keras network that reads them
behind scikit-learn's interface.
"""

from functools import cache

from toolbox.page import keras

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import StandardScaler


def padded(clips, length):
    """Clips as one array: (n,) of features (frames, d) to frames (n, length, d)
    float32, with zeros behind a clip's end, and the mask (n, length) bool, True for
    real frames.

    Raises ValueError if a clip is longer.
    """
    if (longest := max(map(len, clips))) > length:
        raise ValueError(f"A clip of {longest} frames doesn't fit into {length}.")
    frames = np.zeros((len(clips), length, clips[0].shape[1]), "float32")
    mask = np.arange(length) < np.array(list(map(len, clips)))[:, None]
    frames[mask] = np.concatenate(clips)
    return frames, mask


@cache
def built(build, length, width, classes):
    """A compiled network and the values of all its variables, so that the next
    training can begin anew without compiling it again, which would take longer than
    the training.
    """
    keras.utils.set_random_seed(0)
    model = build(length, width, classes)
    model.compile(
        keras.optimizers.AdamW(weight_decay=0.01), "sparse_categorical_crossentropy"
    )
    model.optimizer.build(model.trainable_variables)
    return model, [np.array(variable) for variable in model.variables]


def begin_anew(build, length, width, classes):
    """The compiled network `build(length, width, classes)` as it was before any
    training.
    """
    model, first = built(build, length, width, classes)
    for variable, value in zip(model.variables, first, strict=True):
        variable.assign(value)
    for variable in model.optimizer.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    keras.utils.set_random_seed(0)
    return model


class SequenceNetwork(ClassifierMixin, BaseEstimator):
    """Clips to classes by a Keras network that reads frames and a mask. It sees what
    `prepare` makes of each clip, standardised by the clips that it learns from, and is
    trained by AdamW.

    build: build(length, width, classes) returns the network, of inputs (n, length,
    width) and (n, length) bool; prepare: function of a clip (frames, d) that returns an
    array of that shape; length: the most frames of a clip; epochs: passes over the
    clips; rate: rate(epoch) is the learning rate of an epoch, see
    `keras.optimizers.schedules`. All trainings begin with the same weights.
    """

    def __init__(self, build, prepare, length, epochs, rate, batch_size=16):
        self.build, self.prepare, self.length = build, prepare, length
        self.epochs, self.rate, self.batch_size = epochs, rate, batch_size

    def inputs(self, clips):
        """What the network reads: frames (n, length, d) and mask (n, length)."""
        prepared = [self.scaler_.transform(self.prepare(clip)) for clip in clips]
        return padded(prepared, self.length)

    def fit(self, clips, labels):
        self.classes_, truth = np.unique(labels, return_inverse=True)
        self.scaler_ = StandardScaler().fit(
            np.concatenate([self.prepare(c) for c in clips])
        )
        width = clips[0].shape[1]
        self.model_ = begin_anew(self.build, self.length, width, len(self.classes_))
        rates = keras.callbacks.LearningRateScheduler(
            lambda epoch: float(self.rate(epoch))
        )
        settings = {"epochs": self.epochs, "batch_size": self.batch_size, "verbose": 0}
        self.model_.fit(self.inputs(clips), truth, callbacks=[rates], **settings)
        self.weights_ = self.model_.get_weights()
        return self

    def predict_proba(self, clips):
        self.model_.set_weights(self.weights_)  # it may have been trained again since
        return self.model_.predict(self.inputs(clips), batch_size=256, verbose=0)

    def predict(self, clips):
        return self.classes_[self.predict_proba(clips).argmax(axis=1)]


def warm_up_and_cosine(peak, steps, warm_up=4):
    """A learning rate over epochs or updates: climbs to `peak` in the first ones,
    then falls to zero along a cosine (Loshchilov and Hutter 2017).
    """
    rest = max(steps - warm_up, 1)
    return keras.optimizers.schedules.CosineDecay(
        peak / warm_up, rest, warmup_target=peak, warmup_steps=warm_up
    )
