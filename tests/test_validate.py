"""Classifiers judged on groups that they never met."""

from types import SimpleNamespace

from toolbox.evaluation import groups_left_out as left_out
from toolbox.models.clip_features import as_array

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

FITS = []  # (numbers of the clips learned from, of those judged) of all recorders


@pytest.fixture(autouse=True)
def nothing_recorded():
    FITS.clear()


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

    def moments(self, clip):
        return np.repeat(self.predict_proba([clip]), len(clip), axis=0)


def numbers(clips):
    return [int(clip[0, 0]) for clip in clips]


def clips_of(count):
    """Clips of 2 to 4 frames whose one feature is the clip's number."""
    return as_array([np.full((2 + number % 3, 1), number) for number in range(count)])


def answers(model, clips, labels, groups, learn=None):
    """Probabilities of all clips, each by the judge of its group."""
    found = left_out.judges(model, clips, labels, groups, learn)
    return left_out.ask(found, clips, groups, np.unique(labels))


def table_of(groups, each):
    """Labels, a and b in turn, and groups g0, g1, ... of `each` clips."""
    names = np.repeat([f"g{number}" for number in range(groups)], each)
    return np.array(["a", "b"] * (groups * each // 2)), names


@pytest.mark.parametrize(("names", "fits"), [(4, 4), (25, 10)])
def test_no_clip_is_judged_by_a_model_that_met_its_group(names, fits):
    groups = np.array([f"g{number % names:02}" for number in range(50)])
    labels = np.array(["run", "walk"])[np.arange(50) // 25]
    said = answers(Recorder(), clips_of(50), labels, groups)
    assert len(FITS) == fits
    assert sorted(number for _, judged in FITS for number in judged) == list(range(50))
    for learned, judged in FITS:
        assert not set(groups[learned]) & set(groups[judged])
        assert sorted(learned + judged) == list(range(50))  # nothing else is left out
    assert said.shape == (50, 2) and np.allclose(said.sum(axis=1), 1)
    alone = answers(Recorder(), clips_of(50), labels, np.full(50, "x"))
    assert np.isnan(alone).all() and len(FITS) == fits


def test_each_answer_stands_in_its_clips_row_and_its_class_column():
    """Clip 0 is judged by 1 b and 2 c; clip 1 by a and 2 c, 2 and 3 by a, b. What a
    judge never learned gets 0, nobody's clips NaN.
    """
    labels, groups = np.array(["a", "b", "c", "c"]), np.array(["x", "y", "z", "z"])
    said = answers(Recorder(), clips_of(4), labels, groups)
    by_z = [1 / 2, 1 / 2, 0]
    assert np.allclose(said, [[0, 1 / 3, 2 / 3], [1 / 3, 0, 2 / 3], by_z, by_z])
    found = left_out.judges(Recorder(), clips_of(4), labels, groups)
    asked, classes = np.array(["z", "x", "new"]), np.array(["a", "b", "c", "d"])
    said = left_out.ask(found, clips_of(3), asked, classes)
    assert np.allclose(said[:2], [[1 / 2, 1 / 2, 0, 0], [0, 1 / 3, 2 / 3, 0]])
    assert np.isnan(said[2]).all()


def test_only_what_may_be_learned_from_is_learned_from_and_all_is_judged():
    labels, groups = table_of(4, 2)
    said = answers(Recorder(), clips_of(8), labels, groups, np.arange(8) < 3)
    judged_by = {number: learned for learned, judged in FITS for number in judged}
    assert judged_by == dict(enumerate([[2]] * 2 + [[0, 1]] * 2 + [[0, 1, 2]] * 4))
    assert np.allclose(said[:2], [1, 0]) and np.allclose(said[4:], [2 / 3, 1 / 3])


def test_known_clips_and_strangers_are_judged_by_the_same_classifiers():
    """Three classes in turn are left out, in six folds."""
    labels = np.repeat(["a", "b", "c"], 12)
    groups = np.array([f"g{number % 6}" for number in range(36)])
    known, strangers = left_out.known_and_strangers(
        Recorder(), clips_of(36), labels, groups
    )
    assert known.shape == (3, 36, 8) and strangers.shape == (36, 8)
    assert np.allclose(strangers, 0.5)  # of the two other classes
    own = labels == np.unique(labels)[:, None]
    assert np.isnan(known[own]).all() and np.allclose(known[~own], 0.5)
    for learned, judged in FITS:
        assert not set(groups[learned]) & set(groups[judged])
        assert len(set(labels[learned])) == 2


def test_only_judges_of_two_classes_and_the_clips_own_say_how_sure_they_are():
    """Group g0 has all of class b: without it there is one class."""
    labels, groups = (
        np.array(["a", "b", "a", "a", "c"]),
        np.array(["g0", "g0", "g1", "g2", "g1"]),
    )
    found = left_out.judges(Recorder(), clips_of(5), labels, groups)
    said = left_out.confidences(found, clips_of(5), groups, labels)
    assert np.isnan(said).all(axis=1).tolist() == [False, True, False, False, True]
    said = left_out.confidences(found, clips_of(5), groups)
    assert not np.isnan(said).any()
    one = left_out.judges(Recorder(), clips_of(3), labels[[0, 2, 3]], groups[[0, 2, 3]])
    assert np.isnan(left_out.confidences(one, clips_of(3), groups[[0, 2, 3]])).all()


def test_told_apart_is_the_share_of_known_clips_that_are_surer():
    known = np.full((2, 4, 8), np.nan)
    known[0, 2:], known[1, :2] = [[0.9], [0.5]], [[0.4], [0.8]]
    strangers = np.repeat([[0.5], [np.nan], [0.8], [0.1]], 8, axis=1)
    apart = left_out.told_apart(known, strangers, np.array(["a", "a", "b", "b"]))
    assert np.allclose(apart, [0.75, np.nan, 0.25, 1], equal_nan=True)


@pytest.mark.parametrize(("keep", "threshold"), [(1, 0.5), (0.9, 0.6), (0.61, 0.8)])
def test_a_threshold_lets_the_share_pass_and_no_more_than_it_must(keep, threshold):
    """Of ten clips: 0.9 leaves out the lowest; 0.61 needs seven of them to pass."""
    highest = np.array([0.9, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 0.95, 0.96, 0.97, np.nan])
    moments = np.repeat(highest[:, None], 8, axis=1)
    assert left_out.threshold_for(moments, keep) == threshold
    assert left_out.threshold_for(moments[1:], keep) == 0  # nine clips are too few


def test_the_curve_learns_from_few_groups_and_from_all_with_as_many_clips():
    """Two of eight groups are set aside, 1 to 6 of the others learned."""
    labels, groups = table_of(8, 5)
    curve = left_out.curve_over_groups(
        Recorder(), clips_of(40), labels, groups, draws=3
    )
    assert len(FITS) == 3 * 4 * 2
    for (_, row), (learned, judged) in zip(curve.iterrows(), FITS, strict=True):
        assert len(judged) == 10 and not set(groups[learned]) & set(groups[judged])
        assert len(set(learned)) == row["clips"] == 5 * row["groups"]
        few = len(set(groups[learned])) == row["groups"]
        assert few or row["source"] == "all groups"
    assert curve["groups"].tolist() == list(np.repeat([1, 2, 4, 6], 2)) * 3
    assert all(len(set(groups[learned])) > 2 for learned, _ in FITS[3::8])
    assert len({tuple(judged) for _, judged in FITS}) > 1  # each draw sets others aside
    each = np.arange(40).astype(str)  # no groups were given: both lines would be one
    curve = left_out.curve_over_groups(Recorder(), clips_of(40), labels, each)
    assert set(curve["source"]) == {"few groups"}


def test_a_confidence_is_the_highest_at_eight_moments():
    class Rising(Recorder):
        def moments(self, clip):
            return np.linspace(0.5, 1, len(clip))[:, None]

    labels, groups = np.array(["a", "b"] * 2), np.array(["g0", "g0", "g1", "g1"])
    clips = as_array([np.zeros((count, 1)) for count in (40, 3, 8, 1)])
    found = left_out.judges(Rising(), clips, labels, groups)
    said = left_out.confidences(found, clips, groups)
    assert said.shape == (4, 8)
    places = np.array([0, 6, 11, 17, 22, 28, 33, 39])
    assert np.allclose(said[0], 0.5 + places / 78)
    assert np.allclose(said[2], np.linspace(0.5, 1, 8)) and (said[3] == 0.5).all()
    assert set(said[1]) == {0.5, 0.75, 1}


def test_the_least_sure_are_those_whose_highest_probability_is_lowest():
    said = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.6, 0.4], [0, 1]])
    fitted = SimpleNamespace(predict_proba=lambda clips: said)
    assert list(left_out.least_sure(fitted, clips_of(5), 3)) == [2, 1, 3]


def test_groups_are_checked_before_anything_is_left_out(capsys):
    labels, groups = ["cat", "cat", "dog", "dog"], ["g1", "g2", "g1", "g1"]
    left_out.check_groups(np.array(labels), np.array(groups))
    assert "never found below: dog\n" in capsys.readouterr().out
    left_out.check_groups(np.array(["cat", "cat"]), np.array(["g1", "g2"]))
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="of one group"):
        left_out.check_groups(np.array(["cat", "dog"]), np.array(["g1", "g1"]))


def test_a_round_of_labelling_never_labels_what_it_is_judged_by():
    """Two of eight groups are judged."""
    labels, groups = table_of(8, 6)
    table = left_out.label_round(Recorder(), clips_of(48), labels, groups, draws=3)
    assert table.shape == (3, 3) and (table["before"] == 0.5).all()
    for draw in range(3):
        (start, pool), *judged = FITS[4 * draw : 4 * draw + 4]
        assert sorted(labels[start]) == ["a", "a", "b", "b"]
        assert len(pool) == 36 - 4 and not set(pool) & set(start)
        for (learned, unseen), count in zip(judged, (4, 8, 8), strict=True):
            assert len(unseen) == 12 and not set(groups[unseen]) & set(groups[learned])
            assert learned[:4] == start and len(set(learned)) == count
            assert set(learned[4:]) <= set(pool)
