"""A classifier as one saved model, and its small copy for phones."""

from functools import partial
from types import SimpleNamespace

from toolbox.models import saved_model
from toolbox.models.clip_features import as_array
from toolbox.models.efficientnet import efficientnet_backbone
from toolbox.models.saved_model import (
    FORMAT,
    NONE,
    SavedClassifier,
    head_of,
    one_model,
)
from toolbox.store.made import is_made

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lessons.own_videos import ClipClassifier, describe

NAMES = np.unique(["Über den Zaun", "走る", "naïve 👟"])


@pytest.mark.parametrize("known", ["abc", "ac", "bd"])
@pytest.mark.parametrize("described", [partial(keras.ops.mean, axis=1), describe])
def test_the_head_says_what_scikit_learn_says(known, described):
    """Also of two classes (scikit-learn keeps one row), of classes never seen, and of a
    feature that never varies.
    """
    rng, classes = np.random.default_rng(0), list("abcd")
    windows = rng.uniform(0, 9, (60, 4, 5)).astype("float32") * [1, 10, 100, 1, 0]
    rows, labels = np.asarray(described(windows)), np.resize(list(known), 60)
    scaler = StandardScaler().fit(rows)
    linear = LogisticRegression().fit(scaler.transform(rows), labels)
    fitted = SimpleNamespace(scaler_=scaler, linear_=linear)
    head = head_of(fitted, described, (4, 5), np.array(classes))
    expected = np.zeros((60, 4))
    columns = list(map(classes.index, known))
    expected[:, columns] = linear.predict_proba(scaler.transform(rows))
    assert np.allclose(head.predict(windows, verbose=0), expected, atol=1e-4)


@pytest.fixture(scope="module")
def windows():
    """RGB uint8 (3, 2, 224, 224, 3): noise, dim noise, a slope that stands still."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, 2, 224, 224, 3))
    slope = np.broadcast_to(np.arange(224)[:, None] * [1, 0.6, 0.2], (2, 224, 224, 3))
    return np.stack([noise[0], noise[1] // 6, slope]).astype("uint8")


@pytest.fixture(scope="module")
def pooled(weights_folder, windows):
    """Their features (3, 2, 1824), by Keras."""
    network = efficientnet_backbone(weights_folder, engine="Keras float32")
    pictures = windows.reshape(6, 224, 224, 3)
    return network.using(pooled=True)(pictures).reshape(3, 2, 1824)


@pytest.fixture(scope="module")
def fitted(pooled):
    """A classifier that learned one class from each window, shaken."""
    rng = np.random.default_rng(0)
    clips = [pooled[k % 3] * rng.uniform(0.2, 2, (2, 1824)) for k in range(30)]
    return ClipClassifier(2).fit(as_array(clips), np.resize(NAMES, 30))


@pytest.fixture(scope="module")
def expected(fitted, pooled):
    """What scikit-learn says of each window: (3, 3)."""
    said = fitted.predict_proba(list(pooled))
    assert np.array_equal(said.argmax(axis=1), [0, 1, 2])
    return said


@pytest.fixture(scope="module")
def model(weights_folder, fitted, expected):
    """The model whose threshold only the surest window reaches."""
    head = head_of(fitted, describe, (2, 1824), NAMES)
    threshold = np.sort(expected.max(axis=1))[1:].mean()
    return one_model(weights_folder, head, NAMES, threshold)


def test_the_model_says_what_the_steps_say_one_by_one(model, windows, expected):
    answer = model.predict(windows, verbose=0)
    assert np.allclose(answer["probabilities"], expected, atol=1e-4)
    surest = expected.max(axis=1).argmax()
    names = [NAMES[k] if k == surest else NONE for k in range(3)]
    assert [name.decode() for name in answer["class"]] == names


@pytest.fixture(scope="module")
def saved(tmp_path_factory, model):
    """The folder that it is saved in, and what its file for LiteRT remembers."""
    folder = tmp_path_factory.mktemp("saved")
    facts = {"classes": NAMES.tolist(), "per_second": 4, "size": 2, "threshold": 0.5}
    saved_model.save_classifier(folder, model, facts, ["pets"], [max_of])
    return folder, facts


def max_of(numbers):
    return max(numbers)


def test_the_file_for_litert_holds_all_that_it_needs(saved, windows, expected):
    folder, facts = saved
    assert is_made(folder / "classifier.tflite", "pets")
    for path in (folder, folder / "classifier.tflite", folder / "classifier.keras"):
        assert SavedClassifier(path).facts == facts | {"format": FORMAT}
    classifier = SavedClassifier(folder)
    for window, truth in zip(windows, expected, strict=True):
        features = np.stack(list(map(classifier.look, window)))
        assert features.shape == (2, 1824)
        assert np.allclose(classifier.judge(features), truth, atol=1e-3)
    script = (folder / "use_classifier.py").read_text(encoding="utf-8")
    assert "def max_of(numbers):\n    return max(numbers)\n\n\ndef " in script


def test_what_is_no_classifier_is_told(saved, tmp_path):
    for content in (b"no", (saved[0] / "classifier.tflite").read_bytes()[:-100]):
        (tmp_path / "classifier.tflite").write_bytes(content)
        with pytest.raises(ValueError, match="not a classifier that the course saved"):
            SavedClassifier(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no classifier"):
        SavedClassifier(tmp_path / "none")


def test_small_takes_a_third_and_says_the_same(model, saved, windows, expected):
    folder, facts = saved
    table = saved_model.compare_litert(model, folder, windows[0])
    assert list(table.index) == ["float32", "8-bit weights"]
    assert table.loc["float32", "largest difference"] < 1e-3
    exact, small = (folder / f"classifier{n}.tflite" for n in ("", "_small"))
    sizes = [path.stat().st_size / 1e6 for path in (exact, small)]
    assert table["MB"].tolist() == sizes and sizes[1] < sizes[0] / 3
    classifier = SavedClassifier(small)
    assert classifier.facts["classes"] == facts["classes"]
    said = [classifier.judge([*map(classifier.look, window)]) for window in windows]
    assert np.array_equal(np.argmax(said, axis=1), expected.argmax(axis=1))
    difference = table.loc["8-bit weights", "largest difference"]
    assert difference == pytest.approx(np.abs(said[0] - expected[0]).max(), abs=1e-3)
