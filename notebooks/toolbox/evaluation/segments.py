"""What happens when in a video, and how right that is."""

from toolbox.models import NONE

import numpy as np
import pandas as pd


def segments_of(moments, classes, per_second, threshold, shortest=1.0):
    """What happens when in a video: a DataFrame of start, end (seconds), class and
    probability.

    moments: probabilities (n, classes), `per_second` of them in a second, each of which
    lasts until the next; classes: their names; threshold: a moment whose highest
    probability is below it is "none of these"; shortest: seconds, a shorter segment
    goes to its longer neighbour. The probability is the mean over the segment's moments
    of that of its class (for "none of these", of the highest).
    """
    best = np.where(
        moments.max(axis=1) < threshold, len(classes), moments.argmax(axis=1)
    )
    while True:
        starts = np.flatnonzero(np.diff(best, prepend=-1))
        ends = np.append(starts[1:], len(best))
        k = (ends - starts).argmin()
        if len(starts) == 1 or ends[k] - starts[k] >= shortest * per_second:
            break
        near = [place for place in (k - 1, k + 1) if 0 <= place < len(starts)]
        longer = max(near, key=lambda place: ends[place] - starts[place])
        best[starts[k] : ends[k]] = best[starts[longer]]
    table = pd.DataFrame({"start": starts / per_second, "end": ends / per_second})
    table["class"] = np.append(classes, NONE)[best[starts]]
    with_highest = np.hstack([moments, moments.max(axis=1, keepdims=True)])
    pairs = zip(starts, ends, strict=True)
    return table.assign(
        probability=[with_highest[a:b, best[a]].mean() for a, b in pairs]
    )


def frame_accuracy(segments, truth, per_second=25):
    """The share of the frames, `per_second` of them, that have the true segments'
    class; where there is no true segment, no frame counts.

    segments, truth: DataFrames of start and end (in seconds, in order, none within
    another) and class.
    """
    seconds = (np.arange(np.ceil(truth["end"].max() * per_second)) + 0.5) / per_second
    found, true = classes_at(segments, seconds), classes_at(truth, seconds)
    return float((found == true)[true.notna()].mean())


def classes_at(segments, seconds):
    """The class at each time, as a Series; not-a-number where no segment is."""
    spans = pd.IntervalIndex.from_arrays(
        segments["start"], segments["end"], closed="left"
    )
    places = spans.get_indexer(seconds)
    return (
        segments["class"].reset_index(drop=True).reindex(places).reset_index(drop=True)
    )


def mean_average_precision(found, truth, iou=0.5):
    """The mean average precision of found segments, from 0 to 1: the mean, over the
    true classes, of the area below the interpolated curve of precision over recall.

    found: a DataFrame of start, end, class, probability, and video if there are
    several; truth: the same without probability; iou: the least intersection over
    union, in time, of a segment and the true one that it finds. In order of probability
    each takes, of its class's true segments that are left, the one with the largest; if
    none reaches `iou`, it is a false alarm. "None of these" is no class: neither found
    nor missed.

    The measure of temporal action detection in THUMOS14 (Jiang et al. 2014, "THUMOS
    Challenge: Action Recognition with a Large Number of Classes") and ActivityNet
    (Heilbron et al. 2015, "ActivityNet: A Large-Scale Video Benchmark for Human
    Activity Understanding", CVPR).
    """
    classes = truth.loc[truth["class"] != NONE, "class"].unique()
    precisions = []
    for label in classes:
        of_class = [table[table["class"] == label] for table in (found, truth)]
        precisions.append(average_precision(*of_class, iou))
    return float(np.mean(precisions))


def score_films(films, timeline_of, per_second, iou=0.5):
    """How well clips that were joined to films are found again: a dict of frame
    accuracy and mean average precision.

    films: for each a list of (class, features (n, d)) of its clips; timeline_of:
    function of a film's features that returns its segments; per_second: features in a
    second.
    """
    found, truth = [], []
    for video, film in enumerate(films):
        ends = np.cumsum([len(features) for _, features in film]) / per_second
        true = pd.DataFrame(
            {"start": [0, *ends[:-1]], "end": ends, "class": [c for c, _ in film]}
        )
        run = (
            true["class"] != true["class"].shift()
        ).cumsum()  # of clips of one class in a row
        true = true.groupby(run).agg(
            {"start": "first", "end": "last", "class": "first"}
        )
        truth.append(true.assign(video=video))
        segments = timeline_of(np.concatenate([features for _, features in film]))
        found.append(segments.assign(video=video))
    shares = [frame_accuracy(*pair) for pair in zip(found, truth, strict=True)]
    precision = mean_average_precision(pd.concat(found), pd.concat(truth), iou)
    return {"frame accuracy": float(np.mean(shares)), f"mAP at IoU {iou:g}": precision}


def average_precision(found, truth, iou):
    """The average precision of one class's segments, see `mean_average_precision`."""
    left = truth.assign(video=truth.get("video", 0)).reset_index(drop=True)
    found = found.assign(video=found.get("video", 0))
    hits = []
    for segment in found.sort_values(
        "probability", ascending=False, kind="stable"
    ).itertuples():
        same = left[left["video"] == segment.video]
        both = same["end"].clip(upper=segment.end) - same["start"].clip(
            lower=segment.start
        )
        either = same["end"] - same["start"] + segment.end - segment.start - both
        overlap = both / either
        hits.append(overlap.max() >= iou)
        if hits[-1]:
            left = left.drop(overlap.idxmax())
    hits = np.array(hits, bool)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return best_from_here[hits].sum() / len(truth)
