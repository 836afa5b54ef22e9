"""Notebook 05: whole clips classified by the vote of their frames."""

import json
import threading

import keras
import numpy as np
import pandas as pd
import pytest
from clips import cut, cut_before_frames, write_clip

from framevote.frames import FrameReader
from framevote.transfer import divide_by_255, make_head, save_head, to_network_size
from framevote.voting import (
    bootstrap_over_groups,
    draw_confusion,
    in_batches,
    load_head,
    majority_vote,
    measured,
    predict_and_keep,
    predict_frames,
    prefetched,
    record_results,
    vote_on_clips,
)

CLASSES = np.array(["Jump", "Run", "Walk"])


@pytest.fixture(scope="module")
def head():
    """A head of three classes, not trained."""
    keras.utils.set_random_seed(0)
    return make_head(3)


# The head's weights


def test_a_saved_head_comes_back(tmp_path, head):
    save_head(head, tmp_path / "weights.hdf5")
    assert [path.name for path in tmp_path.iterdir()] == ["weights.hdf5"]
    loaded = load_head(tmp_path / "weights.hdf5", CLASSES)
    for found, expected in zip(loaded.get_weights(), head.get_weights(), strict=True):
        assert np.array_equal(found, expected)


def test_a_head_of_another_number_of_classes_is_refused(tmp_path, head):
    save_head(head, tmp_path / "weights.hdf5")
    with pytest.raises(ValueError, match=r"does not fit a head of 4 classes .* notebook 04 on"):
        load_head(tmp_path / "weights.hdf5", [*CLASSES, "Skip"])


def test_a_missing_head(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"weights\.hdf5 is not there. Run notebook 04"):
        load_head(tmp_path / "weights.hdf5", CLASSES)


@pytest.mark.parametrize("content", [b"", b"<html>404 Not Found</html>", "half"])
def test_a_damaged_head_is_refused(tmp_path, head, content):
    path = tmp_path / "weights.hdf5"
    if content == "half":
        save_head(head, path)
        cut(path, 0.5)
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"weights\.hdf5 does not fit .*Run notebook 04"):
        load_head(path, CLASSES)


# Streams


@pytest.mark.parametrize("count", [0, 1, 3, 4, 10])
def test_batches_are_full_but_the_last(count):
    batches = list(in_batches(range(count), 3))
    assert [item for batch in batches for item in batch] == list(range(count))
    assert all(len(batch) == 3 for batch in batches[:-1])
    assert all(batches)


def test_prefetched_gives_the_same_items_and_its_errors():
    assert list(prefetched(range(20))) == list(range(20))
    assert list(prefetched([])) == []
    assert list(prefetched([None, 0, None])) == [None, 0, None]

    def broken():
        yield 1
        raise OSError("the disk is gone")

    items = prefetched(broken())
    assert next(items) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)


def test_prefetching_stays_a_few_items_ahead():
    produced, one_more = [], threading.Semaphore(0)

    def items():
        for item in range(50):
            produced.append(item)
            one_more.release()
            yield item

    for received, _ in enumerate(prefetched(items(), ahead=2)):
        assert one_more.acquire(timeout=30)
        assert len(produced) <= received + 4


# Predicting the frames of clips


def frame_by_frame(path, base, head, scale, per_second):
    """The probabilities of each sampled frame of a clip, one at a time."""
    for frame in FrameReader(path, per_second):
        features = base.predict_on_batch(divide_by_255(to_network_size(frame)[None]))
        yield head.predict_on_batch(features.reshape(1, -1) / scale)[0]


def test_predictions_are_those_of_each_frame_across_batches_and_bad_clips(tmp_path, base, head):
    """Bad clips lie at the start, in the middle and at the end; batches end inside clips."""
    (tmp_path / "empty.avi").write_bytes(b"")
    (tmp_path / "page.avi").write_text("<html>404 Not Found</html>\n" * 100)
    paths = [
        tmp_path / "gone.avi",
        write_clip(tmp_path / "two.avi", frames=50, look=1),
        tmp_path / "empty.avi",
        cut(write_clip(tmp_path / "half.avi", frames=100, size=(320, 240), look=2), 0.6),
        cut(write_clip(tmp_path / "no_moov.mp4", frames=50), 0.5),
        write_clip(tmp_path / "one.mp4", frames=3, look=3),
        cut_before_frames(write_clip(tmp_path / "lost.avi", frames=2)),
        write_clip(tmp_path / "grey.avi", frames=26, size=(48, 80), colour=False, look=4),
        tmp_path / "page.avi",
    ]
    owners, probabilities, problems = predict_frames(paths, base, head, 5.0, batch_size=3)
    counts = np.bincount(owners, minlength=len(paths)).tolist()
    assert counts[3] >= 2
    assert counts[:3] + counts[4:] == [0, 2, 0, 0, 1, 0, 2, 0]
    assert owners.tolist() == sorted(owners.tolist())
    expected = [
        row
        for index in (1, 3, 5, 7)
        for row in frame_by_frame(paths[index], base, head, 5.0, per_second=1)
    ]
    assert probabilities == pytest.approx(np.array(expected), abs=1e-4)
    assert np.ptp(probabilities, axis=0).max() > 1e-3  # frames differ, so a shift would show
    assert problems.pop(3).startswith("breaks off after ")
    assert problems == {
        0: "the file is missing",
        2: "the file is empty",
        4: "not a video that OpenCV can open",
        6: "no frame can be decoded",
        8: "not a video that OpenCV can open",
    }


def test_no_clip_with_a_frame(tmp_path, base, head):
    (tmp_path / "empty.avi").write_bytes(b"")
    paths = [tmp_path / "empty.avi", tmp_path / "gone.avi"]
    owners, probabilities, problems = predict_frames(paths, base, head, 1.0)
    assert owners.shape == (0,)
    assert probabilities.shape == (0, 3)
    assert problems == {0: "the file is empty", 1: "the file is missing"}


# A chunk of clips at a time


class Predicted:
    """Stands where `predict_frames` does, with answers that show which clips were asked about;
    someone interrupts it, as Ctrl-C does, after `last` chunks.
    """

    def __init__(self, last=99):
        self.chunks, self.last = [], last

    def __call__(self, paths, done):
        if len(self.chunks) == self.last:
            raise KeyboardInterrupt
        self.chunks.append(list(paths))
        done(len(paths) - 1)
        good = [i for i, path in enumerate(paths) if path >= 0]
        problems = {i: "broken" for i, path in enumerate(paths) if path < 0}
        rows = np.array([[paths[i], paths[i] + 0.5] for i in good for _ in range(2)], "float32")
        return np.repeat(np.array(good, int), 2), rows.reshape(-1, 2), problems


def test_answers_of_chunks_are_put_together(tmp_path):
    paths = [5, -1, 7, 3, -2, -3, 4]  # the chunk in the middle of -2 and -3 has nothing to say
    owners, rows, problems = predict_and_keep(Predicted(), paths, tmp_path / "votes", "a", chunk=2)
    assert owners.tolist() == [0, 0, 2, 2, 3, 3, 6, 6]
    assert rows[:, 0].tolist() == [5, 5, 7, 7, 3, 3, 4, 4]
    assert problems == {1: "broken", 4: "broken", 5: "broken"}


def test_interrupted_voting_goes_on_and_ends_as_an_undisturbed_one(tmp_path):
    paths, interrupted, resumed = list(range(7)), Predicted(last=2), Predicted()
    with pytest.raises(KeyboardInterrupt):
        predict_and_keep(interrupted, paths, tmp_path / "votes", "a", chunk=2)
    owners, rows, problems = predict_and_keep(resumed, paths, tmp_path / "votes", "a", chunk=2)
    assert interrupted.chunks + resumed.chunks == [[0, 1], [2, 3], [4, 5], [6]]
    expected = predict_and_keep(Predicted(), paths, tmp_path / "other", "a", chunk=2)
    assert np.array_equal(owners, expected[0])
    assert np.array_equal(rows, expected[1])
    assert problems == expected[2] == {}


def test_kept_answers_of_other_clips_or_weights_are_thrown_away(tmp_path):
    paths, again = list(range(4)), Predicted()
    predict_and_keep(Predicted(), paths, tmp_path / "votes", "a", chunk=1)
    predict_and_keep(again, paths[:3], tmp_path / "votes", "b", chunk=2)
    assert again.chunks == [[0, 1], [2]]
    assert len(list((tmp_path / "votes").glob("*.npz"))) == 2


def test_no_clip_of_many_with_a_frame(tmp_path):
    with pytest.raises(ValueError, match=r"No frame of 2 clips .*the first: broken"):
        predict_and_keep(Predicted(), [-1, -2], tmp_path / "votes", "a")
    with pytest.raises(ValueError, match=r"No frame of 0 clips .*there are no clips"):
        predict_and_keep(Predicted(), [], tmp_path / "votes", "b")


# Votes


@pytest.mark.parametrize(
    ("frames", "winner"),
    [
        ([[0.1, 0.7, 0.2]], 1),
        ([[0.4, 0.3, 0.3], [0.4, 0.3, 0.3], [0.0, 0.0, 1.0]], 0),  # the mode, not the mean
        ([[0.6, 0.4, 0.0], [0.1, 0.9, 0.0]], 1),  # one vote each: 0.7 against 1.3
        ([[0.9, 0.1, 0.0], [0.4, 0.6, 0.0]], 0),  # one vote each: 1.3 against 0.7
        ([[0.5, 0.0, 0.5], [0.0, 0.6, 0.4], [0.4, 0.6, 0.0], [0.5, 0.1, 0.4]], 0),  # 1.4, 1.3
        ([[0.55, 0.45, 0], [0.55, 0.45, 0], [0, 0.45, 0.55], [0, 0.45, 0.55]], 0),  # 1 has none
    ],
)
def test_majority_vote_by_hand(frames, winner):
    assert majority_vote(np.array(frames)) == winner


def table_of(*rows):
    """A table of test clips from (clip, class, group)."""
    videos = pd.DataFrame(rows, columns=["clip", "class", "group"])
    return videos.assign(video=videos["class"] + "/" + videos["clip"] + ".avi")


@pytest.mark.parametrize("empty", [0, 1, 3], ids=["first", "in the middle", "last"])
def test_votes_on_clips(empty):
    """Each clip in turn has no readable frame: it stays in the table and counts as wrong."""
    videos = table_of(
        ("a", "Jump", "g1"), ("b", "Run", "g1"), ("c", "Walk", "g2"), ("d", "Walk", "g2")
    )
    frames = {
        0: [[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.2, 0.2, 0.6]],
        1: [[0.1, 0.8, 0.1]],
        2: [[0.7, 0.2, 0.1], [0.6, 0.1, 0.3]],
        3: [[0.1, 0.1, 0.8]],
    }
    frames.pop(empty)
    owners = np.array([index for index, rows in frames.items() for _ in rows])
    probabilities = np.array([row for rows in frames.values() for row in rows])
    votes = vote_on_clips(videos, CLASSES, owners, probabilities, {empty: "the file is empty"})
    assert votes["clip"].tolist() == list("abcd")
    right = [True, True, False, True]
    right[empty] = False
    assert votes["correct"].tolist() == right
    assert votes["frames"].tolist() == [len(frames.get(index, [])) for index in range(4)]
    assert votes["predicted"].isna().tolist() == [index == empty for index in range(4)]
    assert votes["problem"].tolist() == [
        "the file is empty" if index == empty else "" for index in range(4)
    ]
    if empty != 0:
        assert votes["agreement"][0] == pytest.approx(2 / 3)
        assert votes["confidence"][0] == pytest.approx(1.6 / 3)
    assert votes["predicted"][2] == "Jump"


def test_the_columns_of_votes_do_not_depend_on_which_clip_is_empty():
    videos = table_of(("a", "Jump", "g1"), ("b", "Run", "g1"))
    columns = {
        tuple(vote_on_clips(videos, CLASSES, np.array([filled]), np.eye(3)[:1], {}).columns)
        for filled in (0, 1)
    }
    assert len(columns) == 1


# Intervals and results


def test_two_equal_groups_one_right_one_wrong():
    """Accuracies 0, 1/2 and 1 with probabilities 1/4, 1/2 and 1/4: 95 % reach from 0 to 1."""
    correct = np.array([True] * 3 + [False] * 3)
    assert bootstrap_over_groups(correct, ["a"] * 3 + ["b"] * 3) == (0.0, 1.0)


def test_one_group_has_no_spread():
    correct = np.array([True, True, True, False])
    assert bootstrap_over_groups(correct, ["only"] * 4) == (0.75, 0.75)


def test_large_groups_weigh_more():
    """Group a: 9 of 9; b: 0 of 1. Drawn together they give 9/10, not the mean of 1 and 0."""
    correct = np.array([True] * 9 + [False])
    groups = ["a"] * 9 + ["b"]
    draws = [bootstrap_over_groups(correct, groups, rounds=1, seed=seed) for seed in range(100)]
    assert {low for low, high in draws} == {0.0, 0.9, 1.0}
    assert all(low == high for low, high in draws)


def test_groups_of_one_clip_give_the_usual_bootstrap():
    """Twenty single clips, half of them right: the interval is that of the binomial, 0.3 to 0.7."""
    correct = np.array([True, False] * 10)
    low, high = bootstrap_over_groups(correct, np.arange(20))
    assert low == pytest.approx(0.3, abs=0.051)
    assert high == pytest.approx(0.7, abs=0.051)


def test_nothing_to_resample():
    with pytest.raises(ValueError, match="at least one prediction"):
        bootstrap_over_groups(np.array([], bool), [])


def test_a_row_of_results():
    row = measured("vote", "video", "test", pd.Series([True, False]), pd.Series(["a", "a"]), 0.25)
    assert row == {
        "method": "vote",
        "level": "video",
        "part": "test",
        "accuracy": 0.5,
        "low": 0.5,
        "high": 0.5,
        "n": 2,
        "chance": 0.25,
    }


def test_a_notebook_replaces_its_own_results_only(tmp_path):
    path = tmp_path / "results.json"
    record_results(path, "06", [{"method": "later", "accuracy": 0.3}])
    record_results(path, "05", [{"method": "old", "accuracy": 0.1}, {"method": "older"}])
    rows = record_results(path, "05", [{"method": "new", "accuracy": 0.2}])
    assert rows["method"].tolist() == ["new", "later"]
    assert json.loads(path.read_text(encoding="utf-8")) == [
        {"notebook": "05", "method": "new", "accuracy": 0.2},
        {"notebook": "06", "method": "later", "accuracy": 0.3},
    ]


def test_the_confusion_matrix_counts_all_predictions():
    truth = pd.Series(["Jump", "Jump", "Run", "Walk"])
    predicted = pd.Series(["Jump", "Run", "Run", None])  # the last clip had no frame
    axis = draw_confusion(truth, predicted, CLASSES).axes[0]
    counts = np.asarray(axis.images[0].get_array())
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
