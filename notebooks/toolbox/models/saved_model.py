"""A classifier of videos on disk: a Keras model, the same for LiteRT, a script."""

import inspect
import json
import time
import zipfile
from functools import cached_property
from pathlib import Path

from toolbox.clips import NONE
from toolbox.models.efficientnet import (
    CHOSEN,
    efficientnet_weights,
    load_efficientnet,
)
from toolbox.models.engine import as_litert, open_litert, part_of
from toolbox.page import lazy_keras as keras
from toolbox.store import making, whole

import numpy as np
import pandas as pd

MODEL, LITERT_FILE, SMALL_FILE, SCRIPT = (
    "classifier.keras",
    "classifier.tflite",
    "classifier_small.tflite",
    "use_classifier.py",
)
FACTS = "classifier.json"  # in the file for LiteRT
FORMAT = 1  # of the facts: another one can't be used


class SavedClassifier:
    """A classifier that was saved, run by LiteRT: without TensorFlow, its videos or
    the folder that it was made in.

    path: of `classifier.tflite`, or of its folder. `facts` has classes, per_second
    (frames looked at), size (frames in a window), threshold (of "none of these"; 0:
    never), and what else was given to `save_classifier`. Raises FileNotFoundError if
    nothing is there, ValueError if it is no classifier of the course.
    """

    def __init__(self, path):
        path = Path(path).expanduser()
        path = path / LITERT_FILE if path.is_dir() else path
        path = path.with_suffix(".tflite") if path.suffix == ".keras" else path
        self.path = path.resolve()
        if not self.path.is_file():
            raise FileNotFoundError(f"There is no classifier {self.path}.")
        try:
            with zipfile.ZipFile(self.path) as file:
                self.facts = json.loads(file.read(FACTS))
        except (zipfile.BadZipFile, KeyError, ValueError):
            why = "is not a classifier that the course saved, or is damaged"
            raise ValueError(f"{self.path} {why}.") from None
        if self.facts.get("format") != FORMAT:
            why = "is of another version of the course: train it again"
            raise ValueError(f"{self.path} {why}.")

    @cached_property
    def runners(self):
        try:
            interpreter = open_litert(self.path)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{self.path} is damaged ({error}).") from None
        return {name: interpreter.get_signature_runner(name) for name in PARTS}

    def run(self, part, array):
        """What a part says of one array."""
        run = self.runners[part]
        [entry] = run.get_input_details()
        [found] = run(**{entry: array[None]}).values()
        return found[0]

    def look(self, picture):
        """The features (d,) float32 of an RGB uint8 picture (224, 224, 3)."""
        return self.run("look", picture)

    def judge(self, window):
        """The probabilities (classes,) of a window of features (size, d)."""
        return self.run("judge", np.asarray(window, "float32"))


PARTS = ("look", "judge")


def save_classifier(folder, model, facts, of=(), functions=()):
    """Save a model from `one_model` in a folder: `classifier.keras`, from pixels to
    names; `classifier.tflite`, for LiteRT, with the facts in it, see `SavedClassifier`;
    and `use_classifier.py`, which labels a video by that and without the course.

    facts: a dict, as JSON knows it; of: what the classifier depends on, see
    `toolbox.store.is_made`; functions: of the course that the script copies.
    """
    small = folder / SMALL_FILE  # of an earlier classifier
    small.unlink(missing_ok=True)
    with making(folder / MODEL, *of) as temporary:
        model.save(temporary)
    with whole(folder / SCRIPT) as temporary:
        temporary.write_text(script_with(functions), encoding="utf-8")
    with making(folder / LITERT_FILE, *of) as temporary:
        write_litert(model, temporary, facts)


def script_with(functions):
    """The text of `use_classifier.py`, with the sources of functions in it."""
    text = Path(__file__).with_name(SCRIPT).read_text(encoding="utf-8")
    sources = "\n\n".join(map(inspect.getsource, functions))
    [place] = [line for line in text.splitlines() if line.startswith("# ruff")]
    return text.replace(place, sources.rstrip())


def write_litert(model, path, facts, small=False):
    """Write a model from `one_model` as a file for LiteRT (formerly TensorFlow Lite)
    with two signatures: `look`, RGB uint8 (1, 224, 224, 3) to features (1, d), and
    `judge`, windows of them (1, size, d) to probabilities (1, classes).

    facts: a dict that is kept in the file, as LiteRT keeps metadata: in a zip archive
    at its end (https://ai.google.dev/edge/litert/models/metadata); small: weights of 8
    bits (dynamic-range quantisation).
    """
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    for name in PARTS:
        part = model.get_layer(name)
        archive.track(part)
        [entry] = part.inputs
        spec = tf.TensorSpec((1, *entry.shape[1:]), entry.dtype, name=name)
        archive.add_endpoint(name, part.call, [spec])
    path.write_bytes(as_litert(archive.write_out, small))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(FACTS, json.dumps(facts | {"format": FORMAT}))


def head_of(fitted, describe, shape, classes):
    """A fitted linear classifier of windows as a Keras model: pooled features (n,
    *shape) float32 to probabilities (n, classes).

    fitted: has scikit-learn's `scaler_` (StandardScaler) and `linear_`
    (LogisticRegression), fitted to `describe`'s rows; describe: function of (n, *shape)
    that returns (n, d), written with `keras.ops`; shape: (frames in a window, features
    of a frame); classes: sorted, with all that were learned among them.
    """
    scaler, linear = fitted.scaler_, fitted.linear_
    inputs = keras.layers.Input(shape, name="features")
    statistics = {"mean": scaler.mean_, "variance": scaler.scale_**2}
    scaled = keras.layers.Normalization(**statistics, name="standardise")
    dense = keras.layers.Dense(len(classes), "softmax", name="softmax")
    head = keras.Model(inputs, dense(scaled(describe(inputs))), name="judge")
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
    `probabilities` (n, classes) float32 and `class` (n,) text. Its parts are the layers
    `look` and `judge`, see `write_litert`.
    """
    ops, layers = keras.ops, keras.layers
    network = load_efficientnet(efficientnet_weights(folder))
    picture = layers.Input((224, 224, 3), dtype="uint8", name="picture")
    seen = part_of(network, CHOSEN, pooled=True)(
        (ops.cast(picture, "float32") - 127) / 128
    )
    look = keras.Model(picture, ops.concatenate(seen, axis=-1), name="look")
    size, width = head.input_shape[1:]
    frames = layers.Input((size, 224, 224, 3), dtype="uint8", name="frames")
    pooled = look(ops.reshape(frames, (-1, 224, 224, 3)))
    probabilities = head(ops.reshape(pooled, (-1, size, width)))
    sure = ops.max(probabilities, axis=-1) >= threshold
    best = ops.where(sure, 1 + ops.argmax(probabilities, axis=-1), 0)
    words = {"vocabulary": [*map(str, classes)], "oov_token": NONE, "invert": True}
    names = layers.StringLookup(**words, name="classes")
    return keras.Model(frames, {"probabilities": probabilities, "class": names(best)})


def compare_litert(model, folder, pictures):
    """A classifier for LiteRT, exact and with weights of 8 bits, side by side: a
    DataFrame of MB, frames/s, and the largest difference of the probabilities of a
    window from those of the Keras model.

    model: from `one_model`, saved in `folder`, where the small file is written;
    pictures: RGB uint8 (size, 224, 224, 3).
    """
    exact = np.asarray(model.predict(pictures[None], verbose=0)["probabilities"][0])
    facts = SavedClassifier(folder).facts
    with whole(folder / SMALL_FILE) as temporary:
        write_litert(model, temporary, facts, small=True)
    table = {}
    for name, file in (("float32", LITERT_FILE), ("8-bit weights", SMALL_FILE)):
        classifier = SavedClassifier(folder / file)
        classifier.look(pictures[0])  # the first time takes longer
        started = time.perf_counter()
        features = [classifier.look(picture) for picture in pictures]
        pace = len(pictures) / (time.perf_counter() - started)
        difference = np.abs(classifier.judge(features) - exact).max()
        table[name] = classifier.path.stat().st_size / 1e6, pace, difference
    columns = ["MB", "frames/s", "largest difference"]
    return pd.DataFrame.from_dict(table, "index", columns=columns)
