"""Classifiers judged on groups that they never met."""

from toolbox.evaluation.groups_left_out import (
    as_strangers,
    ask,
    check_groups,
    compare,
    curve_over_groups,
    is_right,
    judges,
    label_round,
    least_sure,
    new_strangers,
    out_of_group,
    steps,
    threshold_for,
)
from toolbox.models.clip_features import as_array

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

# (numbers of the clips learned from, of those judged): clones of a recorder share it
FITS = []


class Recorder(ClassifierMixin, BaseEstimator):
    """Says of each clip how often each class was learned; a clip's one number is its
    name.
    """

    def fit(self, clips, labels):
        self.classes_, counts = np.unique(labels, return_counts=True)
        self.shares = counts / counts.sum()
        self.learned = numbers(clips)
        return self

    def predict_proba(self, clips):
        FITS.append((self.learned, numbers(clips)))
        return np.tile(self.shares, (len(clips), 1))

    def predict(self, clips):
        return self.classes_[self.predict_proba(clips).argmax(axis=1)]


def numbers(clips):
    return [int(clip[0, 0]) for clip in clips]


def clips_of(count):
    """Clips of 2 to 4 frames whose one feature is the clip's number."""
    return as_array([np.full((2 + number % 3, 1), number) for number in range(count)])


@pytest.fixture(autouse=True)
def nothing_recorded():
    FITS.clear()


# Out of their group


@pytest.mark.parametrize(("names", "fits"), [(4, 4), (25, 10)])
def test_no_clip_is_judged_by_a_model_that_met_its_group(names, fits):
    groups = np.array([f"g{number % names:02}" for number in range(50)])
    labels = np.array(["run", "walk"])[np.arange(50) // 25]
    said = out_of_group(Recorder(), clips_of(50), labels, groups)
    assert len(FITS) == fits
    assert sorted(number for _, judged in FITS for number in judged) == list(range(50))
    for learned, judged in FITS:
        assert not set(groups[learned]) & set(groups[judged])
        assert sorted(learned + judged) == list(range(50))  # nothing else is left out
    assert said.shape == (50, 2) and np.allclose(said.sum(axis=1), 1)


def test_each_answer_stands_in_its_clips_row_and_its_class_column():
    """Out of its group, clip 0 is judged by 1 b and 2 c; clip 1 by a and 2 c, 2 and
    3 by a, b.
    """
    labels, groups = np.array(["a", "b", "c", "c"]), np.array(["x", "y", "z", "z"])
    said = out_of_group(Recorder(), clips_of(4), labels, groups)
    expected = [
        [0, 1 / 3, 2 / 3],
        [1 / 3, 0, 2 / 3],
        [1 / 2, 1 / 2, 0],
        [1 / 2, 1 / 2, 0],
    ]
    assert np.allclose(said, expected)


def test_with_one_group_nothing_can_be_judged():
    said = out_of_group(
        Recorder(), clips_of(3), np.array(["a", "b", "b"]), np.array(["x"] * 3)
    )
    assert said.shape == (3, 2) and np.isnan(said).all() and FITS == []


def test_only_what_may_be_learned_from_is_learned_from_and_all_is_judged():
    labels, groups = np.array(["a", "b"] * 4), np.repeat(["w", "x", "y", "z"], 2)
    learn = np.array([True, True, True, False, False, False, False, False])
    said = out_of_group(Recorder(), clips_of(8), labels, groups, learn)
    judged_by = {number: learned for learned, judged in FITS for number in judged}
    assert judged_by == {0: [2], 1: [2]} | {2: [0, 1], 3: [0, 1]} | {
        number: [0, 1, 2] for number in (4, 5, 6, 7)
    }
    assert np.allclose(said[:2], [1, 0]) and np.allclose(said[4:], [2 / 3, 1 / 3])


def test_judges_can_be_asked_about_other_clips():
    """A clip's judge goes by its group; what the judge never learned gets 0,
    nobody's clips NaN.
    """
    labels, groups = np.array(["a", "b", "c", "c"]), np.array(["x", "y", "z", "z"])
    found = judges(Recorder(), clips_of(4), labels, groups)
    said = ask(
        found, clips_of(3), np.array(["z", "x", "new"]), np.array(["a", "b", "c", "d"])
    )
    assert np.allclose(said[:2], [[1 / 2, 1 / 2, 0, 0], [0, 1 / 3, 2 / 3, 0]])
    assert np.isnan(said[2]).all()


def test_many_groups_share_judges():
    labels, groups = np.array(["a", "b"] * 12), np.arange(24).astype(str)
    found = judges(Recorder(), clips_of(24), labels, groups, folds=3)
    assert len(found) == 24 and len(set(map(id, found.values()))) == 3
    for group, judge in found.items():
        assert int(group) not in judge.learned


# Strangers, thresholds


def test_strangers_are_judged_by_models_that_met_neither_class_nor_group():
    labels = np.repeat(["a", "b", "c"], 12)
    groups = np.array([f"g{number % 6}" for number in range(36)])
    highest = as_strangers(Recorder(), clips_of(36), labels, groups)
    assert highest.shape == (36,) and np.allclose(
        highest, 0.5
    )  # of the two other classes
    assert len(FITS) == 18  # three classes, six folds
    for name in "abc":
        of_class = [fit for fit in FITS if name not in labels[fit[0]]]
        assert len(of_class) == 6
        for learned, judged in of_class:
            assert not set(groups[learned]) & set(groups[judged])


def test_new_strangers_are_judged_by_what_learned_from_the_other_classes():
    """Of a, b, b, c, c, c: without a, the highest share is 3/5; without b, 3/4; d is
    new.
    """
    labels = np.array(["a", "b", "b", "c", "c", "c"])
    new = np.array(["a", "b", "d", "a"])
    highest = new_strangers(Recorder(), clips_of(6), labels, clips_of(4), new)
    assert np.allclose(highest, [3 / 5, 3 / 4, 1 / 2, 3 / 5])
    assert FITS == [
        ([1, 2, 3, 4, 5], [0, 3]),
        ([0, 3, 4, 5], [1]),
        ([0, 1, 2, 3, 4, 5], [2]),
    ]


@pytest.mark.parametrize(
    ("keep", "threshold"),
    [
        (1, 0.5),
        (0.9, 0.6),
        (0.8, 0.7),
        (0.7, 0.8),
        (0.65, 0.8),
        (0.61, 0.8),
        (0.5, 0.9),
    ],
)
def test_a_threshold_lets_the_share_pass_and_no_more_than_it_must(keep, threshold):
    """Of ten clips: 0.9, of the ten, leaves out the lowest; 0.65 needs seven of them
    to pass.
    """
    highest = np.array([0.9, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 0.95, 0.96, 0.97])
    said = np.column_stack([highest, 1 - highest])
    assert threshold_for(said, keep) == threshold
    assert np.mean(highest >= threshold) >= keep


# More and more groups


def test_the_curve_learns_from_few_groups_and_from_all_with_as_many_clips():
    """Eight groups of five clips: two are set aside, and 1 to 6 of the others
    learned from.
    """
    labels, groups = (
        np.array(["a", "b"] * 20),
        np.repeat([f"g{number}" for number in range(8)], 5),
    )
    curve = curve_over_groups(
        Recorder(), clips_of(40), labels, groups, draws=3, points=4
    )
    assert list(curve) == ["source", "groups", "clips", "accuracy"]
    assert len(curve) == len(FITS) == 3 * 4 * 2
    for (_, row), (learned, judged) in zip(curve.iterrows(), FITS, strict=True):
        assert len(judged) == 10 and not set(groups[learned]) & set(groups[judged])
        assert len(set(learned)) == row["clips"] == 5 * row["groups"]
        if row["source"] == "few groups":
            assert len(set(groups[learned])) == row["groups"]
    for source, rows in curve.groupby("source"):
        assert source in ("few groups", "all groups")
        assert list(rows["groups"]) == [1, 2, 4, 6] * 3
    spread = [
        set(groups[learned]) for learned, _ in FITS[3::8]
    ]  # 10 clips from all groups
    assert all(len(names) > 2 for names in spread)
    assert len({tuple(judged) for _, judged in FITS}) > 1  # each draw sets others aside


# How good probabilities are, what to label next


def test_classifiers_are_compared_by_hand():
    """The first is right on the first and the third clip: their own classes get 0.8,
    0.4, 0.6 and 0, which counts as a millionth. The second is right on all but the
    last of four groups of one: it gains 0, 1, 0 and 0 clips, 25 points; t with 3
    degrees of freedom is 3.182, and no gain is above 100 points.
    """
    labels = np.array(["a", "b", "a", "c"])
    said = np.array([[0.8, 0.2, 0], [0.6, 0.4, 0], [0.6, 0.4, 0], [0, 1, 0]])
    other = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]], float)
    table = compare(
        {"one": said, "other": other}, labels, np.array(["g1", "g2", "g3", "g4"])
    )
    assert table["accuracy"].tolist() == [0.5, 0.75]
    assert table["claimed"].tolist() == pytest.approx([(0.8 + 0.6 + 0.6 + 1) / 4, 1])
    expected = -np.log([0.8, 0.4, 0.6, 1e-6]).mean()
    assert table["log loss"].tolist() == pytest.approx([expected, -np.log(1e-6) / 4])
    margin = 3.182 * np.std([0, 1, 0, 0], ddof=1) / 2 * 100
    interval = f"{25 - margin:+.0f} to {min(25 + margin, 100):+.0f}"
    assert table["points gained"].tolist() == ["", f"+25 ({interval})"]
    assert table["so"].tolist() == ["", "can't tell (4 groups)"]


def test_an_answer_is_right_by_its_column():
    labels = np.array(["walk", "run", "walk", "jump"])  # columns: jump, run, walk
    said = np.array([[0.1, 0.2, 0.7], [0.1, 0.2, 0.7], [0.6, 0, 0.4], [0.4, 0.3, 0.3]])
    assert is_right(said, labels).tolist() == [True, False, False, True]


def test_the_least_sure_are_those_whose_highest_probability_is_lowest():
    class Says:
        def predict_proba(self, clips):
            return np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.6, 0.4], [0, 1]])

    assert list(least_sure(Says(), clips_of(5), 3)) == [2, 1, 3]
    assert list(least_sure(Says(), clips_of(5), 0)) == []


def test_labels_come_back_from_the_table(tmp_path):
    """A person who calls everything "a": the clips that were asked for are learned
    as "a".
    """
    learned = []

    class Listens(Recorder):
        def fit(self, clips, labels):
            learned.append(list(labels))
            return super().fit(clips, labels)

    def person(path):
        pd.read_csv(path, dtype=str).assign(label="a").to_csv(path, index=False)

    labels, groups = (
        np.array(["a", "b"] * 24),
        np.repeat([f"g{number}" for number in range(8)], 6),
    )
    arguments = (
        clips_of(48),
        labels,
        groups,
        range(48),
        tmp_path / "to_label.csv",
        person,
    )
    label_round(Listens(), *arguments, draws=1)
    assert learned[-1][4:] == ["a"] * 4


def test_groups_are_checked_before_anything_is_left_out(capsys):
    check_groups(
        np.array(["cat", "cat", "dog", "dog"]), np.array(["g1", "g2", "g1", "g1"])
    )
    assert capsys.readouterr().out == "of one group, so never found below: dog\n"
    check_groups(np.array(["cat", "cat"]), np.array(["g1", "g2"]))
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="of one group"):
        check_groups(np.array(["cat", "dog"]), np.array(["g1", "g1"]))


def test_a_round_of_labelling_never_labels_what_it_is_judged_by(tmp_path):
    """Eight groups of six clips: two are judged. Two clips of each class at first,
    then four more.
    """
    labels, groups = (
        np.array(["a", "b"] * 24),
        np.repeat([f"g{number}" for number in range(8)], 6),
    )
    names, asked = [f"clip {number}" for number in range(48)], []

    def person(path):
        table = pd.read_csv(path, dtype=str)
        assert table["label"].isna().all()
        asked.append([names.index(clip) for clip in table["clip"]])
        table.assign(label=labels[asked[-1]]).to_csv(path, index=False)

    file = tmp_path / "to_label.csv"
    table = label_round(
        Recorder(), clips_of(48), labels, groups, names, file, person, draws=3
    )
    assert [len(clips) for clips in asked] == [4, 4, 4]
    assert (
        list(table) == ["before", "after, at random", "after, least sure"]
        and len(table) == 3
    )
    for draw in range(3):
        (start, pool), *judged = FITS[4 * draw : 4 * draw + 4]
        assert sorted(labels[start]) == ["a", "a", "b", "b"]
        assert len(pool) == 36 - 4 and not set(pool) & set(start)
        for (learned, unseen), count in zip(judged, (4, 8, 8), strict=True):
            assert len(unseen) == 12 and not set(groups[unseen]) & set(groups[learned])
            assert learned[:4] == start and len(set(learned)) == count
            assert set(learned[4:]) <= set(pool)
        assert learned[4:] == asked[draw]
    assert table.to_numpy().min() >= 0 and table.to_numpy().max() <= 1


def test_steps_compare_each_with_the_one_before():
    groups = np.repeat([f"g{k}" for k in range(6)], 4)
    wrong, right = np.zeros(24, bool), np.ones(24, bool)
    found = steps({"a": wrong, "b": right, "c": right}, groups)
    assert found.index.tolist() == ["b", "c"]
    assert found["points gained"].tolist() == ["+100 (+100 to +100)", "+0 (+0 to +0)"]
    assert found["so"].tolist() == ["better", "no difference shown"]
    few = steps({"a": wrong[:8], "b": right[:8]}, groups[:8])
    assert few["so"].tolist() == ["can't tell (2 groups)"]
