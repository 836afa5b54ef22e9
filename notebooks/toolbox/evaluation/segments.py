"""How right it is what happens when in a video."""

from toolbox.clips import NONE

import numpy as np
import pandas as pd


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
    ends = segments["start"], segments["end"]
    places = pd.IntervalIndex.from_arrays(*ends, closed="left").get_indexer(seconds)
    classes = segments["class"].reset_index(drop=True)
    return classes.reindex(places).reset_index(drop=True)


def mean_average_precision(found, truth, iou=0.5):
    """The mean average precision of found segments, from 0 to 1: the mean, over the
    true classes, of the area below the interpolated curve of precision over recall.

    found: a DataFrame of start, end, class, probability, and video if there are
    several; truth: the same without probability; iou: the least intersection over
    union, in time, of a segment and the true one that it finds. In order of probability
    each takes, of its class's true segments that are left, the one with the largest; if
    none reaches `iou`, it is a false alarm. "None of these" is no class: neither found
    nor missed.

    The measure of temporal action detection in THUMOS14 (Jiang et al. 2014) and
    ActivityNet (Heilbron et al. 2015, CVPR).
    """
    classes = truth.loc[truth["class"] != NONE, "class"].unique()
    parts = ([t[t["class"] == label] for t in (found, truth)] for label in classes)
    return float(np.mean([average_precision(*part, iou) for part in parts]))


def average_precision(found, truth, iou):
    """The average precision of one class's segments, see `mean_average_precision`."""
    left = truth.assign(video=truth.get("video", 0)).reset_index(drop=True)
    found = found.assign(video=found.get("video", 0))
    found = found.sort_values("probability", ascending=False, kind="stable")
    hits = np.zeros(len(found), bool)
    for k, segment in enumerate(found.itertuples()):
        same = left[left["video"] == segment.video]
        first, last = same["start"], same["end"]
        both = last.clip(upper=segment.end) - first.clip(lower=segment.start)
        overlap = both / (last - first + segment.end - segment.start - both)
        if overlap.max() >= iou:
            hits[k], left = True, left.drop(overlap.idxmax())
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return best_from_here[hits].sum() / len(truth)


def films_of(clips, labels, count=20, of=4):
    """Films of a few clips each, drawn at random: a list, see `score_films`.

    clips: (n,) of features (frames, d); labels: (n,).
    """
    places, films = pd.Series(range(len(clips))), []
    for draw in range(count):
        drawn = places.sample(of, replace=len(places) < of, random_state=draw)
        films.append([(labels[place], clips[place]) for place in drawn])
    return films


def score_films(films, timeline_of, per_second, iou=0.5):
    """How well clips that were joined to films are found again: a dict of frame
    accuracy and mean average precision.

    films: for each a list of (class, features (n, d)) of its clips; timeline_of:
    function of a film's features that returns its segments; per_second: features in a
    second.
    """
    found, truth = [], []
    for video, film in enumerate(films):
        labels, clips = zip(*film, strict=True)
        ends = np.cumsum(list(map(len, clips))) / per_second
        true = pd.DataFrame({"start": [0, *ends[:-1]], "end": ends, "class": labels})
        # clips of one class in a row are one segment
        run = (true["class"] != true["class"].shift()).cumsum()
        merged = {"start": "first", "end": "last", "class": "first"}
        truth.append(true.groupby(run).agg(merged).assign(video=video))
        found.append(timeline_of(np.concatenate(clips)).assign(video=video))
    shares = [frame_accuracy(*pair) for pair in zip(found, truth, strict=True)]
    precision = mean_average_precision(pd.concat(found), pd.concat(truth), iou)
    return {"frame accuracy": float(np.mean(shares)), f"mAP at IoU {iou:g}": precision}
