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

FITS = []  # (numbers of the clips learned from, of those judged) of all recorders


class Recorder(ClassifierMixin, BaseEstimator):
    """Says of each clip how often each class was learned."""

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


def table_of(groups, each):
    """Labels, a and b in turn, and groups g0, g1, ... of `each` clips."""
    names = np.repeat([f"g{number}" for number in range(groups)], each)
    return np.array(["a", "b"] * (groups * each // 2)), names


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
    3 by a, b. A judge may be asked about other clips: what it never learned gets 0,
    nobody's clips NaN.
    """
    labels, groups = np.array(["a", "b", "c", "c"]), np.array(["x", "y", "z", "z"])
    said = out_of_group(Recorder(), clips_of(4), labels, groups)
    by_z = [1 / 2, 1 / 2, 0]
    assert np.allclose(said, [[0, 1 / 3, 2 / 3], [1 / 3, 0, 2 / 3], by_z, by_z])
    found = judges(Recorder(), clips_of(4), labels, groups)
    asked, classes = np.array(["z", "x", "new"]), np.array(["a", "b", "c", "d"])
    said = ask(found, clips_of(3), asked, classes)
    assert np.allclose(said[:2], [[1 / 2, 1 / 2, 0, 0], [0, 1 / 3, 2 / 3, 0]])
    assert np.isnan(said[2]).all()


def test_with_one_group_nothing_can_be_judged():
    labels, groups = np.array(["a", "b", "b"]), np.array(["x"] * 3)
    said = out_of_group(Recorder(), clips_of(3), labels, groups)
    assert said.shape == (3, 2) and np.isnan(said).all() and FITS == []


def test_only_what_may_be_learned_from_is_learned_from_and_all_is_judged():
    labels, groups = table_of(4, 2)
    said = out_of_group(Recorder(), clips_of(8), labels, groups, np.arange(8) < 3)
    judged_by = {number: learned for learned, judged in FITS for number in judged}
    assert judged_by == dict(enumerate([[2]] * 2 + [[0, 1]] * 2 + [[0, 1, 2]] * 4))
    assert np.allclose(said[:2], [1, 0]) and np.allclose(said[4:], [2 / 3, 1 / 3])


# Strangers, thresholds


def test_strangers_are_judged_by_models_that_met_neither_class_nor_group():
    labels = np.repeat(["a", "b", "c"], 12)
    groups = np.array([f"g{number % 6}" for number in range(36)])
    highest = as_strangers(Recorder(), clips_of(36), labels, groups)
    assert np.allclose(highest, [0.5] * 36)  # of the two other classes
    assert len(FITS) == 18  # three classes, six folds
    for name in "abc":
        of_class = [fit for fit in FITS if name not in labels[fit[0]]]
        assert len(of_class) == 6
        for learned, judged in of_class:
            assert not set(groups[learned]) & set(groups[judged])


def test_new_strangers_are_judged_by_what_learned_from_the_other_classes():
    """Without a, the highest share is 3/5; without b, 3/4; d is new."""
    labels = np.array(["a", "b", "b", "c", "c", "c"])
    new = np.array(["a", "b", "d", "a"])
    highest = new_strangers(Recorder(), clips_of(6), labels, clips_of(4), new)
    assert np.allclose(highest, [3 / 5, 3 / 4, 1 / 2, 3 / 5])
    met = [([1, 2, 3, 4, 5], [0, 3]), ([0, 3, 4, 5], [1]), ([0, 1, 2, 3, 4, 5], [2])]
    assert met == FITS


@pytest.mark.parametrize(
    ("keep", "threshold"), [(1, 0.5), (0.9, 0.6), (0.7, 0.8), (0.61, 0.8), (0.5, 0.9)]
)
def test_a_threshold_lets_the_share_pass_and_no_more_than_it_must(keep, threshold):
    """Of ten clips: 0.9 leaves out the lowest; 0.61 needs seven of them to pass."""
    highest = np.array([0.9, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 0.95, 0.96, 0.97, np.nan])
    assert threshold_for(np.column_stack([highest, 1 - highest]), keep) == threshold
    assert threshold_for(np.full((3, 2), np.nan), keep) == 0


# More and more groups


def test_the_curve_learns_from_few_groups_and_from_all_with_as_many_clips():
    """Eight groups of five clips: two are set aside, 1 to 6 of the others learned."""
    labels, groups = table_of(8, 5)
    curve = curve_over_groups(Recorder(), clips_of(40), labels, groups, draws=3)
    assert len(FITS) == 3 * 4 * 2
    for (_, row), (learned, judged) in zip(curve.iterrows(), FITS, strict=True):
        assert len(judged) == 10 and not set(groups[learned]) & set(groups[judged])
        assert len(set(learned)) == row["clips"] == 5 * row["groups"]
        few = len(set(groups[learned])) == row["groups"]
        assert few or row["source"] == "all groups"
    for source in ("few groups", "all groups"):
        rows = curve[curve["source"] == source]
        assert list(rows["groups"]) == [1, 2, 4, 6] * 3
    ten_spread = [set(groups[learned]) for learned, _ in FITS[3::8]]
    assert all(len(names) > 2 for names in ten_spread)
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
    groups = np.array(["g1", "g2", "g3", "g4"])
    table = compare({"one": said, "other": other}, labels, groups)
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


def test_groups_are_checked_before_anything_is_left_out(capsys):
    labels, groups = ["cat", "cat", "dog", "dog"], ["g1", "g2", "g1", "g1"]
    check_groups(np.array(labels), np.array(groups))
    assert "never found below: dog\n" in capsys.readouterr().out
    check_groups(np.array(["cat", "cat"]), np.array(["g1", "g2"]))
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="of one group"):
        check_groups(np.array(["cat", "dog"]), np.array(["g1", "g1"]))


def test_a_round_of_labelling_never_labels_what_it_is_judged_by(tmp_path):
    """Eight groups of six clips: two are judged. Two clips of each class at first,
    then four more, which the person calls "c": that is learned from the table.
    """
    labels, groups = table_of(8, 6)
    names, asked, learned_labels = [f"clip {number}" for number in range(48)], [], []

    class Listens(Recorder):
        def fit(self, clips, labels):
            learned_labels.append(list(labels))
            return super().fit(clips, labels)

    def person(path):
        table = pd.read_csv(path, dtype=str)
        assert table["label"].isna().all()
        asked.append([names.index(clip) for clip in table["clip"]])
        table.assign(label="c").to_csv(path, index=False)

    known = clips_of(48), labels, groups, names, tmp_path / "to_label.csv", person
    table = label_round(Listens(), *known, draws=3)
    assert list(table) == ["before", "after, at random", "after, least sure"]
    assert len(table) == 3 and [len(clips) for clips in asked] == [4, 4, 4]
    assert [of_fit[4:] for of_fit in learned_labels[3::4]] == [["c"] * 4] * 3
    for draw in range(3):
        (start, pool), *judged = FITS[4 * draw : 4 * draw + 4]
        assert sorted(labels[start]) == ["a", "a", "b", "b"]
        assert len(pool) == 36 - 4 and not set(pool) & set(start)
        for (learned, unseen), count in zip(judged, (4, 8, 8), strict=True):
            assert len(unseen) == 12 and not set(groups[unseen]) & set(groups[learned])
            assert learned[:4] == start and len(set(learned)) == count
            assert set(learned[4:]) <= set(pool)
        assert learned[4:] == asked[draw]


def test_steps_compare_each_with_the_one_before():
    groups = np.repeat([f"g{k}" for k in range(6)], 4)
    wrong, right = np.zeros(24, bool), np.ones(24, bool)
    found = steps({"a": wrong, "b": right, "c": right}, groups)
    assert found.index.tolist() == ["b", "c"]
    assert found["points gained"].tolist() == ["+100 (+100 to +100)", "+0 (+0 to +0)"]
    assert found["so"].tolist() == ["better", "no difference shown"]
    few = steps({"a": wrong[:8], "b": right[:8]}, groups[:8])
    assert few["so"].tolist() == ["can't tell (2 groups)"]
