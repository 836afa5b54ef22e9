"""Notebook 06: frames of all clips, pooled features, decisions for clips, fine-tuning."""

from toolbox.datasets import Dataset
from toolbox.vgg16 import load_vgg16, vgg16_weights

import numpy as np
import pandas as pd
import pytest
from clips import write_clip
from sklearn.preprocessing import StandardScaler

from framevote.pooling import (
    all_classes,
    clip_answers,
    fine_tunable,
    folds_over_groups,
    frames_of_all_clips,
    in_brackets,
    linear_classifier,
    mean_and_deviation,
    mean_probability,
    pooled,
    read_clips,
    read_pooled,
    square_root,
    thinned,
    unit_length,
)
from framevote.voting import majority_vote

# Clips and frames


def test_clips_are_read_with_labels_and_part(tmp_path):
    dataset = Dataset("small", tmp_path, tmp_path / "data", tmp_path / "weights")
    dataset.data.mkdir()
    np.save(dataset.data / "classes.npy", np.array(["Walk", "run"]))
    table = pd.DataFrame({"clip": ["a", "b", "c"], "class": ["run", "Walk", "None"]})
    table["part"] = ["train", "test", "test"]
    table.to_csv(dataset.data / "videos.csv", index=False)
    videos, classes = read_clips(dataset)
    assert videos["label"].tolist() == [1, 0, -2]  # a class without training frames
    assert videos["is_test"].tolist() == [False, True, True]
    assert classes.tolist() == ["Walk", "run"]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Two readable clips of two seconds at 25 frames a second, and a broken one between them."""
    root = tmp_path_factory.mktemp("course")
    for name in ("a", "c"):
        write_clip(root / f"{name}.avi", frames=50)
    (root / "b.avi").write_bytes(b"not a video")
    videos = pd.DataFrame({"clip": ["a", "b", "c"], "class": ["x", "x", "y"], "group": "g01"})
    videos["video"] = videos["clip"] + ".avi"
    return Dataset("small", root, root / "data", root / "weights"), videos


def test_frames_of_all_clips_know_their_clip_and_place(course):
    dataset, videos = course
    frames, problems = frames_of_all_clips(dataset, videos, 5)
    assert frames["owner"].tolist() == [0] * 10 + [2] * 10
    assert frames["k"].tolist() == [*range(10), *range(10)]
    assert (frames["video"] == videos["video"].to_numpy()[frames["owner"]]).all()
    assert problems["clip"].tolist() == ["b"]
    assert all((dataset.data / "frames_5" / image).exists() for image in frames["image"])


@pytest.mark.parametrize(
    ("densest", "rate", "kept"),
    [
        (5, 5, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (5, 1, [0, 5]),
        (5, 2, [0, 3, 5, 8]),  # 0, 0.5, 1 and 1.5 s, half up: 2.5 becomes 3
        (2, 1, [0, 2, 4, 6, 8]),
        (1, 0.5, [0, 2, 4, 6, 8]),
    ],
)
def test_a_lower_rate_keeps_the_nearest_frames(densest, rate, kept):
    frames = pd.DataFrame({"k": range(10)})
    assert np.flatnonzero(thinned(frames, densest, rate)).tolist() == kept


def test_a_lower_rate_keeps_the_first_frame_of_every_clip():
    frames = pd.DataFrame({"k": [0, 0, 1, 0, 1, 2]})
    assert thinned(frames, 5, 1).tolist() == [True, True, False, True, False, False]


# Features


def test_pooled_features_are_the_mean_over_places(base):
    frames = np.random.default_rng(0).uniform(0, 255, (2, 224, 224, 3)).astype("float32")
    maps = base.predict_on_batch(frames)
    found = pooled(base).predict_on_batch(frames)
    assert found.shape == (2, 512)
    assert np.allclose(found, maps.mean(axis=(1, 2)), rtol=1e-4, atol=1e-4)


def test_pooled_features_are_found_with_their_frames(course, tmp_path):
    clips, videos = course
    dataset = Dataset("small", clips.folder, tmp_path, tmp_path)
    with pytest.raises(FileNotFoundError, match="Run notebook 06 first; 5 must be the highest"):
        read_pooled(dataset, videos, 5)
    frames, _ = frames_of_all_clips(dataset, videos, 5)
    np.save(dataset.data / "pooled_5.npy", np.ones((20, 512), "float16"))
    found, features = read_pooled(dataset, videos, 5)
    assert found.equals(frames)
    assert features.shape == (20, 512) and features.dtype == np.float32


def test_pooled_features_of_another_table_of_clips_are_refused(course, tmp_path):
    clips, videos = course
    dataset = Dataset("small", clips.folder, tmp_path, tmp_path)
    frames_of_all_clips(dataset, videos, 5)
    np.save(dataset.data / "pooled_5.npy", np.ones((20, 512), "float16"))
    for others in (videos[::-1].reset_index(drop=True), videos.head(2)):
        with pytest.raises(ValueError, match="run notebook 06 again"):
            read_pooled(dataset, others, 5)
    np.save(dataset.data / "pooled_5.npy", np.ones((19, 512), "float16"))
    with pytest.raises(ValueError, match="run notebook 06 again"):
        read_pooled(dataset, videos, 5)


def test_mean_and_deviation_by_hand():
    features = np.array([[1.0, 0.0], [5.0, 5.0], [1.0, 0.0], [7.0, 6.0], [5.0, 9.0]])
    clips, described = mean_and_deviation(features, np.array([7, 4, 7, 7, 4]))
    assert clips.tolist() == [4, 7]
    assert described[0].tolist() == [5.0, 7.0, 0.0, 2.0]
    assert described[1] == pytest.approx([3.0, 2.0, 8**0.5, 8**0.5])  # the medians are 1 and 0


def test_one_frame_has_no_deviation():
    _, described = mean_and_deviation(np.array([[2.0, 3.0]]), [0])
    assert described.tolist() == [[2.0, 3.0, 0.0, 0.0]]


# Decisions


def test_frames_decide_for_their_own_clip_in_any_order():
    owners = np.array([3, 0, 3, 0, 3])
    probabilities = np.eye(3)[[1, 2, 1, 2, 0]]
    assert clip_answers(probabilities, owners, 5).tolist() == [2, -1, -1, 1, -1]


def test_shuffling_frames_changes_no_answer():
    rng = np.random.default_rng(1)
    owners, probabilities = rng.integers(20, size=300), rng.dirichlet(np.ones(4), 300)
    order = rng.permutation(300)
    for decide in (majority_vote, mean_probability):
        before = clip_answers(probabilities, owners, 20, decide)
        after = clip_answers(probabilities[order], owners[order], 20, decide)
        assert (before == after).all()
        assert before[7] == decide(probabilities[owners == 7])


def test_a_sure_frame_outweighs_two_unsure_ones():
    frames = np.array([[0.4, 0.35, 0.25], [0.4, 0.35, 0.25], [0.0, 1.0, 0.0]])
    assert majority_vote(frames) == 0
    assert mean_probability(frames) == 1


# Classifiers


def blobs(classes, seed=0):
    """Features like pooled ones: 512 numbers, not negative, with another mean for each class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 30)
    centres = np.random.default_rng(99).gamma(1.0, 10.0, (classes, 512))
    return rng.gamma(2.0, centres[labels] / 2).astype("float32"), labels


def test_square_roots_by_hand():
    assert square_root().fit_transform(np.array([[4.0, 9.0, 0.0]])).tolist() == [[2, 3, 0]]


def test_folds_keep_groups_together_and_judge_every_row_once():
    targets, groups = np.tile([0, 1, 1], 20), np.repeat([f"g{i}" for i in range(10)], 6)
    folds = folds_over_groups(targets, groups)
    assert len(folds) == 5
    assert sorted(np.concatenate([judged for _, judged in folds])) == list(range(60))
    for known, judged in folds:
        assert not set(groups[known]) & set(groups[judged])
        assert len(known) + len(judged) == 60


def test_the_seed_draws_other_folds():
    targets, groups = np.tile([0, 1], 20), np.repeat([f"g{i}" for i in range(20)], 2)
    first, again, other = (folds_over_groups(targets, groups, seed)[0][1] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_two_classes_of_four_clips_are_enough():
    """Of each class three clips are for training, each of a group of its own, or of three."""
    for groups in ([f"clip {i}" for i in range(6)], ["g1", "g2", "g3"] * 2):
        folds = folds_over_groups(np.array([0, 0, 0, 1, 1, 1]), np.array(groups))
        assert folds and all(1 < len(set(known // 3)) < len(known) for known, _ in folds)
    rng = np.random.default_rng(0)
    features = np.repeat([[0.0] * 5, [9.0] * 5], 3, axis=0) + rng.normal(size=(6, 5))
    model = linear_classifier().fit(features[folds[0][0]], folds[0][0] // 3)
    assert (model.predict(features[folds[0][1]]) == folds[0][1] // 3).all()


@pytest.mark.parametrize(
    ("targets", "groups"),
    [
        ([0, 0, 1, 1], ["g1"] * 4),  # one group
        ([0, 0, 1, 1], ["g1", "g1", "g2", "g2"]),  # one class is left, whichever group goes
        ([0, 0, 1, 1], ["g1", "g2", "g1", "g2"]),  # two examples of two classes are left
    ],
)
def test_too_few_groups_are_named(targets, groups):
    with pytest.raises(ValueError, match=r"4 training examples in \d groups? are too few"):
        folds_over_groups(np.array(targets), np.array(groups))


@pytest.mark.parametrize("prepare", ["passthrough", square_root(), StandardScaler()])
def test_the_linear_classifier_learns_what_is_separable(prepare):
    model = linear_classifier(prepare).fit(*blobs(4))
    features, labels = blobs(4, seed=1)
    assert (model.predict(features) == labels).mean() > 0.9  # chance is 0.25
    assert np.allclose(model.predict_proba(features).sum(axis=1), 1)


def test_fewer_examples_than_features_are_enough():
    features, labels = blobs(2)
    model = linear_classifier().fit(features[::10], labels[::10])  # 6 rows of 512
    assert (model.predict(features) == labels).mean() > 0.9


@pytest.mark.parametrize("labels_seen", [[0, 1, 2], [0, 2], [1, 2]])
def test_fine_tuning_starts_as_the_linear_classifier(weights_folder, labels_seen):
    base = load_vgg16(vgg16_weights(weights_folder))
    features, labels = blobs(3)
    seen = np.isin(labels, labels_seen)
    classifier = linear_classifier().fit(features[seen], labels[seen])
    model = fine_tunable(base, classifier, 3)
    frames = np.random.default_rng(0).uniform(-120, 120, (2, 224, 224, 3)).astype("float32")
    expected = np.zeros((2, 3))
    expected[:, labels_seen] = classifier.predict_proba(pooled(base).predict_on_batch(frames))
    assert np.allclose(model.predict_on_batch(frames), expected, atol=1e-2)

    features = features[seen][::10]  # of every class that it has seen
    expected = np.zeros((len(features), 3))
    expected[:, labels_seen] = classifier.predict_proba(features)
    assert np.allclose(model.layers[-1](features), expected, atol=1e-2)


def test_fine_tuning_changes_block_5_and_nothing_before(weights_folder):
    base = load_vgg16(vgg16_weights(weights_folder))
    model = fine_tunable(base, linear_classifier().fit(*blobs(3)), 3, rate=1e-3)
    before = {layer.name: layer.get_weights() for layer in base.layers if layer.weights}
    frames = np.random.default_rng(0).uniform(-120, 120, (2, 224, 224, 3)).astype("float32")
    model.train_on_batch(frames, np.array([0, 1]))
    changed = {
        name
        for name, weights in before.items()
        if not np.array_equal(weights[0], base.get_layer(name).get_weights()[0])
    }
    assert changed == {"block5_conv1", "block5_conv2", "block5_conv3"}


def test_classes_never_seen_get_no_probability():
    rng = np.random.default_rng(0)
    features = np.vstack([rng.normal(size=(20, 3)), rng.normal(5, size=(20, 3))])
    model = linear_classifier().fit(features, np.repeat([1, 3], 20))
    said = all_classes(model, features, 5)
    assert said.shape == (40, 5)
    assert not said[:, [0, 2, 4]].any()
    np.testing.assert_allclose(said.sum(axis=1), 1)
    assert (said.argmax(axis=1) == np.repeat([1, 3], 20)).all()


def test_unit_length_leaves_zeros():
    unit = unit_length(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(unit, [[0.6, 0.8], [0, 0]])


def test_an_interval_as_text():
    assert in_brackets(0.414, 0.628) == "(41% to 63%)"
    assert in_brackets(None, None) == in_brackets(np.nan, np.nan) == "(one group, no interval)"
