"""A classifier as one saved model, and its small copy for phones."""

import json
import subprocess
import sys
from types import SimpleNamespace

from toolbox.models.saved_model import (
    IMAGENET_MEAN,
    NONE,
    compare_litert,
    head_of,
    one_model,
    run_litert,
)
from toolbox.models.vgg16 import vgg16_weights

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lessons.own_videos import ClipClassifier, describe

NAMES = np.unique(["Über den Zaun", "走る", "naïve 👟"])
preprocess_input = keras.applications.vgg16.preprocess_input

# The head


def mean_of(windows):
    """The simplest description: the mean over the frames, (n, size, d) to (n, d)."""
    return keras.ops.mean(windows, axis=1)


def fitted_to(rows, labels):
    """A standardised logistic regression, as `head_of` wants it."""
    scaler = StandardScaler().fit(rows)
    linear = LogisticRegression().fit(scaler.transform(rows), labels)
    return SimpleNamespace(scaler_=scaler, linear_=linear)


@pytest.mark.parametrize(
    "known", [["a", "b", "c"], ["a", "c"], ["b", "d"], ["b", "c", "d"]]
)
@pytest.mark.parametrize("described", [mean_of, describe])
def test_the_head_says_what_scikit_learn_says(known, described):
    """Also where there are two classes, of which scikit-learn keeps one row, and
    where some of the classes were never seen; a feature that never varies is one of
    them.
    """
    rng, classes = np.random.default_rng(0), np.array(["a", "b", "c", "d"])
    windows = rng.uniform(0, 9, (60, 4, 5)).astype("float32") * [1, 10, 100, 1, 0]
    rows, labels = np.asarray(described(windows)), np.resize(known, 60)
    fitted = fitted_to(rows, labels)
    head = head_of(fitted, described, (4, 5), classes)
    assert head.name == "windows" and head.output_shape == (None, 4)
    expected = np.zeros((60, 4))
    columns = [list(classes).index(name) for name in known]
    expected[:, columns] = fitted.linear_.predict_proba(fitted.scaler_.transform(rows))
    assert np.allclose(head.predict(windows, verbose=0), expected, atol=1e-4)


# The whole way


@pytest.fixture(scope="module")
def windows():
    """Windows of two frames: noise, dim noise, a slope that stands still, so that
    nothing in it changes; RGB uint8 (3, 2, 224, 224, 3).
    """
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, 2, 224, 224, 3))
    slope = np.broadcast_to(np.arange(224)[:, None] * [1, 0.6, 0.2], (2, 224, 224, 3))
    return np.stack([noise[0], noise[1] // 6, slope]).astype("uint8")


@pytest.fixture(scope="module")
def pooled(base, windows):
    """Their features (3, 2, 512), by Keras' own preprocessing."""
    pixels = preprocess_input(windows.reshape(6, 224, 224, 3).astype("float32"))
    return base.predict(pixels, verbose=0).mean(axis=(1, 2)).reshape(3, 2, 512)


@pytest.fixture(scope="module")
def fitted(pooled):
    """A classifier that learned one class from each window, shaken."""
    rng, clips = np.random.default_rng(0), np.empty(30, object)
    clips[:] = [
        pooled[number % 3] * rng.uniform(0.2, 2, (2, 512)) for number in range(30)
    ]
    return ClipClassifier(2).fit(clips, np.resize(NAMES, 30))


@pytest.fixture(scope="module")
def expected(fitted, pooled):
    """What scikit-learn says of each window: (3, 3)."""
    said = fitted.predict_proba(list(pooled))
    assert np.array_equal(said.argmax(axis=1), [0, 1, 2])
    assert len(np.unique(said.max(axis=1).round(3))) == 3
    return said


@pytest.fixture(scope="module")
def build(weights_folder, fitted):
    """The model of a threshold."""
    head = head_of(fitted, describe, (2, 512), NAMES)
    return lambda threshold: one_model(
        vgg16_weights(weights_folder), head, NAMES, threshold
    )


@pytest.fixture(scope="module")
def model(build, expected):
    """The model whose threshold only the surest window reaches."""
    return build(np.sort(expected.max(axis=1))[1:].mean())


def texts(names):
    return [name.decode() for name in names]


def test_the_model_says_what_the_steps_say_one_by_one(model, windows, expected):
    answer = model.predict(windows, verbose=0)
    assert set(answer) == {"probabilities", "class"}
    assert np.allclose(answer["probabilities"], expected, atol=1e-4)
    surest = expected.max(axis=1).argmax()
    assert texts(answer["class"]) == [
        NAMES[number] if number == surest else NONE for number in range(3)
    ]


@pytest.mark.parametrize(
    ("threshold", "names"), [(0, list(NAMES)), (1.01, ["none of these"] * 3)]
)
def test_below_the_threshold_it_is_none_of_these(build, windows, threshold, names):
    assert texts(build(threshold).predict(windows, verbose=0)["class"]) == names


def test_the_preprocessing_inside_is_that_of_keras(model, windows):
    inside = keras.Model(model.inputs, model.get_layer("preprocess").output)
    pixels = windows.reshape(6, 224, 224, 3).astype("float32")
    assert np.allclose(
        inside.predict(windows, verbose=0), preprocess_input(pixels), atol=1e-4
    )
    assert IMAGENET_MEAN == (103.939, 116.779, 123.68)


def test_the_layer_windows_judges_pooled_features(model, pooled, expected):
    head = model.get_layer("windows")
    assert np.allclose(head.predict(pooled, verbose=0), expected, atol=1e-4)


ELSEWHERE = """
import json, sys
import keras
import numpy as np

model = keras.models.load_model(sys.argv[1])
answer = model(np.load(sys.argv[2]))
names = [name.decode() for name in answer["class"].numpy()]
print(json.dumps([answer["probabilities"].numpy().tolist(), names]))
assert not {"toolbox", "lessons"} & set(sys.modules)
"""


def test_a_process_without_the_course_says_the_same(tmp_path, model, windows):
    (tmp_path / "folder").mkdir()
    model.save(tmp_path / "folder" / "classifier.keras")
    np.save(tmp_path / "windows.npy", windows)
    places = tmp_path / "folder" / "classifier.keras", tmp_path / "windows.npy"
    run = subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE, *map(str, places)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    probabilities, names = json.loads(run.stdout.splitlines()[-1])
    answer = model.predict(windows, verbose=0)
    assert np.allclose(probabilities, answer["probabilities"], atol=1e-5)
    assert names == texts(answer["class"])
    assert [path.name for path in (tmp_path / "folder").iterdir()] == [
        "classifier.keras"
    ]


# For phones


def test_litert_says_the_same_and_small_takes_a_third(
    tmp_path, model, windows, expected
):
    table = compare_litert(model, tmp_path, windows)
    assert list(table.index) == ["float32", "8-bit weights"]
    assert table.loc["float32", "largest difference"] < 1e-3
    exact, small = (
        tmp_path / "classifier_float32.tflite",
        tmp_path / "classifier_small.tflite",
    )
    assert table["MB"].tolist() == [
        exact.stat().st_size / 1e6,
        small.stat().st_size / 1e6,
    ]
    assert table.loc["8-bit weights", "MB"] < table.loc["float32", "MB"] / 3
    said = run_litert(small)(windows)
    assert said.shape == (3, 3) and said.dtype == np.float32
    assert np.array_equal(said.argmax(axis=1), expected.argmax(axis=1))
    difference = np.abs(said - expected).max()
    assert table.loc["8-bit weights", "largest difference"] == pytest.approx(
        difference, abs=1e-3
    )
    assert {path.name for path in tmp_path.iterdir()} == {exact.name, small.name}
