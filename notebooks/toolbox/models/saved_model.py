"""A classifier of videos as one saved model, and its small copy for phones."""

import time

from toolbox.clips import NONE
from toolbox.models.efficientnet import (
    CHOSEN,
    efficientnet_weights,
    load_efficientnet,
)
from toolbox.models.engine import open_litert, part_of
from toolbox.page import keras, quiet_start
from toolbox.store import is_made, making, read_note, whole

import numpy as np
import pandas as pd
from keras import layers, ops

MODEL = "classifier.keras"


def save_classifier(dataset, model, **facts):
    """Save a model from `one_model` as a dataset's classifier, and in its note the
    facts that its use needs: classes, per_second (frames looked at), size (frames in a
    window), threshold.
    """
    path = dataset.weights / MODEL
    with making(path, *made_of(dataset), **facts) as temporary:
        model.save(temporary)


def read_classifier(dataset):
    """The note of a dataset's classifier; an empty dict if there is none, it is not as
    it was saved, or it was made of another table of clips.
    """
    path = dataset.weights / MODEL
    return read_note(path) if is_made(path, *made_of(dataset)) else {}


def made_of(dataset):
    """What a dataset's classifier is made of: the text of its table of clips, and what
    looked at them.
    """
    table = (dataset.data / "videos.csv").read_text(encoding="utf-8")
    return table, "EfficientNet-Lite0", CHOSEN


def head_of(fitted, describe, shape, classes):
    """A fitted linear classifier of windows as a Keras model: pooled features (n,
    *shape) float32 to probabilities (n, classes).

    fitted: has scikit-learn's `scaler_` (StandardScaler) and `linear_`
    (LogisticRegression), fitted to `describe`'s rows; describe: function of (n, *shape)
    that returns (n, d), written with `keras.ops`; shape: (frames in a window, features
    of a frame); classes: sorted, with all that were learned among them.
    """
    scaler, linear = fitted.scaler_, fitted.linear_
    inputs = layers.Input(shape, name="features")
    statistics = {"mean": scaler.mean_, "variance": scaler.scale_**2}
    scaled = layers.Normalization(**statistics, name="standardise")
    dense = layers.Dense(len(classes), "softmax", name="softmax")
    head = keras.Model(inputs, dense(scaled(describe(inputs))), name="windows")
    kernel = np.zeros((scaler.n_features_in_, len(classes)), "float32")
    bias = np.full(len(classes), -100, "float32")  # a class that was never seen
    known = np.searchsorted(classes, linear.classes_)
    if len(known) == 2:  # scikit-learn keeps one row for two classes
        kernel[:, known[1]], bias[known] = linear.coef_[0], (0, linear.intercept_[0])
    else:
        kernel[:, known], bias[known] = linear.coef_.T, linear.intercept_
    dense.set_weights([kernel, bias])
    return head


def one_model(folder, head, classes, threshold):
    """The whole way from pixels to a class as one Keras model, of Keras' own layers
    alone: it loads where the course's code isn't.

    folder: keeps the weights of EfficientNet-Lite0; head: see `head_of`; classes: their
    names; threshold: below this highest probability the class is "none of these". The
    model takes RGB uint8 frames (n, frames, 224, 224, 3) and returns a dict of
    `probabilities` (n, classes) float32 and `class` (n,) text.
    """
    size, width = head.input_shape[1:]
    frames = layers.Input((size, 224, 224, 3), dtype="uint8", name="frames")
    pixels = ops.reshape(ops.cast(frames, "float32"), (-1, 224, 224, 3))
    network = load_efficientnet(efficientnet_weights(folder))
    seen = part_of(network, CHOSEN, pooled=True)((pixels - 127) / 128)
    pooled = ops.concatenate(seen, axis=-1)
    probabilities = head(ops.reshape(pooled, (-1, size, width)))
    sure = ops.max(probabilities, axis=-1) >= threshold
    best = ops.where(sure, 1 + ops.argmax(probabilities, axis=-1), 0)
    words = {"vocabulary": [*map(str, classes)], "oov_token": NONE, "invert": True}
    names = layers.StringLookup(**words, name="classes")
    return keras.Model(frames, {"probabilities": probabilities, "class": names(best)})


def run_litert(path, threads=None):
    """A function that runs a LiteRT file: uint8 windows (n, frames, 224, 224, 3) to
    probabilities (n, classes) float32, without TensorFlow.
    """
    interpreter = open_litert(path, threads)
    [entry], [out] = interpreter.get_input_details(), interpreter.get_output_details()

    def compute(windows):
        rows = []
        for window in windows:
            interpreter.set_tensor(entry["index"], window[None])
            interpreter.invoke()
            rows.append(interpreter.get_tensor(out["index"])[0])
        return np.stack(rows)

    return compute


def compare_litert(model, folder, windows):
    """Export the probabilities of a model from `one_model` for LiteRT (formerly
    TensorFlow Lite) into a folder, exact and with 8-bit weights (dynamic-range
    quantisation, https://ai.google.dev/edge/litert), and run both: a DataFrame of MB,
    frames/s (one window after a warm-up) and the largest difference of their
    probabilities from the model's, for uint8 windows (n, frames, 224, 224, 3).
    """
    import tensorflow as tf

    exact, table = np.asarray(model.predict(windows, verbose=0)["probabilities"]), {}
    plain = keras.Model(model.inputs, model.output["probabilities"])
    for name, small in (("float32", False), ("8-bit weights", True)):
        path = folder / f"classifier_{'small' if small else 'float32'}.tflite"
        options = {"optimizations": [tf.lite.Optimize.DEFAULT]} if small else {}
        with whole(path) as temporary, quiet_start((1, 2)):
            plain.export(temporary, format="litert", verbose=False, **options)
        run = run_litert(path)
        difference = np.abs(run(windows) - exact).max()
        started = time.perf_counter()
        run(windows[:1])
        pace = windows.shape[1] / (time.perf_counter() - started)
        table[name] = path.stat().st_size / 1e6, pace, difference
    columns = ["MB", "frames/s", "largest difference"]
    return pd.DataFrame.from_dict(table, "index", columns=columns)
