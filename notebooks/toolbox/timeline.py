"""What happens when in a video: as a picture, as the text of each moment, and how right it is."""

import textwrap

from toolbox.classifier import NONE
from toolbox.draw import height_for

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import hsv_to_rgb
from matplotlib.ticker import PercentFormatter

GREY = (0.8, 0.8, 0.8)
MOST_CURVES = 5
MOST_STEPS = 500  # of a curve
LONG_VIDEO = 600  # seconds; the time axis of a longer one is in minutes
WIDTH, LEFT, RIGHT = 11, 0.85, 0.25  # inches: the figure, and what is beside its time axis
AXIS = WIDTH - LEFT - RIGHT
HIGHEST_STRIP = 1.6  # inches


def segments_of(moments, classes, per_second, threshold, shortest=1.0):
    """What happens when in a video: a DataFrame of start, end (seconds), class and probability.

    moments: probabilities (n, classes), `per_second` of them in a second, each of which lasts until
    the next; classes: their names; threshold: a moment whose highest probability is below it is
    "none of these"; shortest: seconds, a shorter segment goes to its longer neighbour. The
    probability is the mean over the segment's moments of that of its class (for "none of these", of
    the highest).
    """
    best = np.where(moments.max(axis=1) < threshold, len(classes), moments.argmax(axis=1))
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
    return table.assign(probability=[with_highest[a:b, best[a]].mean() for a, b in pairs])


def draw_timeline(frames, moments, segments, classes, per_second, truth=None, title=None):
    """Draw what happens when in a video: a strip of its frames, below it the probabilities of the
    (at most five) classes that matter most, below that its segments; returns the matplotlib figure.

    frames: RGB arrays, evenly spaced over the video (frame k of n from about its (k + ½)/n), ten at
    most to be legible; moments: probabilities (moments, classes); segments: a DataFrame of start
    and end (in seconds) and class; classes: their names, in the order of the moments' columns,
    which gives each its colour; per_second: moments in a second; truth: the true segments, like
    `segments`. Those classes matter most that have the most time in segments, and of those with
    equal time (as none) those with the highest mean probability.
    """
    long = len(moments) / per_second > LONG_VIDEO
    unit = 60 if long else 1
    edges = np.arange(len(moments) + 1) / per_second / unit
    bars = {"found": segments} if truth is None else {"found": segments, "truth": truth}
    colours = colours_of(classes)
    strip_height = min(height_for(frames, AXIS / len(frames)), HIGHEST_STRIP)
    heights = [strip_height, 2.2, 0.45 * len(bars)]
    figure, (strip, curves, bar) = three_panels(heights, above=0.45 if title else 0.1)
    figure.suptitle(title, y=1 - 0.1 / figure.get_figheight(), va="top", fontsize=14)

    bar.set(xlim=(0, edges[-1]), ylim=(len(bars) - 0.5, -0.5))
    draw_strip(strip, frames, edges[-1], strip_height)
    places = most_important(moments, segments, classes)
    draw_curves(curves, edges, moments[:, places], [classes[place] for place in places], colours)
    for row, table in enumerate(bars.values()):
        draw_segments(bar, row, table, unit, colours)
    bar.set_yticks(range(len(bars)), bars, fontsize=12)
    bar.tick_params("y", length=0)
    bar.spines[:].set_visible(False)
    bar.set_xlabel(f"time in the video ({'minutes' if long else 'seconds'})", fontsize=12)
    return figure


def three_panels(heights, above):
    """A figure of three axes, one below the other, that share the time; heights: theirs, in inches;
    above: the first.
    """
    space, below = 0.35, 0.65
    total = above + sum(heights) + 2 * space + below
    return plt.subplots(
        3,
        figsize=(WIDTH, total),
        sharex=True,
        height_ratios=heights,
        gridspec_kw={
            "left": LEFT / WIDTH,
            "right": 1 - RIGHT / WIDTH,
            "top": 1 - above / total,
            "bottom": below / total,
            "hspace": space / np.mean(heights),
        },
    )


def draw_strip(axis, frames, end, height):
    """Draw frames side by side, each in the middle of its part of the time from 0 to `end` and as
    large as fits there; height: of the axis, in inches.
    """
    part = end / len(frames)
    for place, frame in enumerate(frames):
        tall, wide = frame.shape[:2]
        half = min(part, height * wide / tall * end / AXIS) / 2
        middle = (place + 0.5) * part
        axis.imshow(frame, extent=(middle - half, middle + half, 0, height), aspect="auto")
    axis.set(ylim=(0, height))
    axis.axis("off")


def draw_curves(axis, edges, moments, names, colours):
    """Draw the probabilities of classes, the columns of `moments`, each moment between two `edges`,
    and name them above. Of a long video several moments are averaged.
    """
    together = np.arange(0, len(moments), -(-len(moments) // MOST_STEPS))
    sizes = np.diff(together, append=len(moments))
    means = np.add.reduceat(np.asarray(moments, float), together) / sizes[:, None]
    edges = np.append(edges[together], edges[-1])
    curves = [
        axis.stairs(
            mean, edges, baseline=None, color=colours[name], linewidth=2.2, zorder=3 - rank / 10
        )
        for rank, (mean, name) in enumerate(zip(means.T, names, strict=True))
    ]
    axis.legend(
        curves,
        [name if len(name) <= 18 else f"{name[:17]}…" for name in names],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=MOST_CURVES,
        frameon=False,
        borderaxespad=0.1,
        borderpad=0.2,
        handlelength=1.2,
        handletextpad=0.5,
        columnspacing=1,
        fontsize=12,
    )
    axis.set(ylim=(0, 1.03))
    axis.set_ylabel("probability", fontsize=12)
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.grid(alpha=0.3)


def draw_segments(axis, row, table, unit, colours):
    """Draw segments as a coloured bar, with the class's name where it fits; unit: of the time axis,
    in seconds.
    """
    start, length = table["start"] / unit, (table["end"] - table["start"]) / unit
    filled = [colours.get(label, GREY) for label in table["class"]]
    axis.broken_barh(
        list(zip(start, length, strict=True)),
        (row - 0.42, 0.84),
        facecolors=filled,
        edgecolor="white",
        linewidth=min(1, 60 / len(table)),
    )
    inches = length * AXIS / axis.get_xlim()[1]
    for label, middle, room, colour in zip(
        table["class"], start + length / 2, inches, filled, strict=True
    ):
        dark = np.dot(colour, (0.299, 0.587, 0.114)) < 0.65
        wrapped = textwrap.fill(label, 1 + len(label) * 6 // 10, break_long_words=False)
        for shown, size in ((label, 12), (wrapped, 9)) if room > 0.2 else ():
            text = axis.text(middle, row, shown, fontsize=size, ha="center", va="center")
            text.set(color="white" if dark else "black", clip_on=True)
            if text.get_window_extent().width <= (room - 0.06) * axis.figure.dpi:
                break
            text.remove()


def most_important(moments, segments, classes):
    """The places in `classes` of the (at most five) that matter most, see `draw_timeline`."""
    time = (segments["end"] - segments["start"]).groupby(segments["class"]).sum()
    time = time.reindex(classes, fill_value=0).to_numpy()
    return np.lexsort([-np.mean(moments, axis=0), -time])[:MOST_CURVES]


def colours_of(classes):
    """The colour of each class, by its place in `classes`, as a dict of RGB triples (0 to 1); grey
    is that of "none of these".
    """
    hue = np.arange(len(classes)) * 0.618034 % 1  # by the golden ratio: none comes twice
    saturation, value = np.array([[0.9, 0.8], [0.85, 0.5], [0.5, 0.9]])[np.arange(len(hue)) % 3].T
    further = hsv_to_rgb(np.stack([hue, saturation, value], axis=1))
    dark = [place for place in range(0, 20, 2) if place != 14]  # 14 and 15 are grey
    first = [colormaps["tab20"](place)[:3] for place in dark + [place + 1 for place in dark]]
    return dict(zip(classes, [*first, *map(tuple, further)], strict=False)) | {NONE: GREY}


def caption_at(segments, moments, classes, per_second):
    """A function of the time in a video (in seconds) that gives the text to show then: the class of
    the segment and its probability in that moment, as "Walk 87%", or "none of these".

    segments: a DataFrame of start and end (in seconds, in order) and class, as in `timeline.csv`;
    moments: probabilities (moments, classes); classes: their names; per_second: moments in a
    second. A segment goes from its start up to the next one's; behind its end, the last goes on.
    """
    starts, labels = segments["start"].to_numpy(), segments["class"].tolist()
    column = {label: place for place, label in enumerate(classes)}

    def caption(seconds):
        label = labels[max(np.searchsorted(starts, seconds, side="right") - 1, 0)]
        if label == NONE:
            return NONE
        moment = min(int(seconds * per_second), len(moments) - 1)
        return f"{label} {moments[moment][column[label]]:.0%}"

    return caption


def frame_accuracy(segments, truth, per_second=25):
    """The share of the frames, `per_second` of them, that have the true segments' class; where
    there is no true segment, no frame counts.

    segments, truth: DataFrames of start and end (in seconds, in order, none within another) and
    class.
    """
    seconds = (np.arange(np.ceil(truth["end"].max() * per_second)) + 0.5) / per_second
    found, true = classes_at(segments, seconds), classes_at(truth, seconds)
    return float((found == true)[true.notna()].mean())


def classes_at(segments, seconds):
    """The class at each time, as a Series; not-a-number where no segment is."""
    spans = pd.IntervalIndex.from_arrays(segments["start"], segments["end"], closed="left")
    places = spans.get_indexer(seconds)
    return segments["class"].reset_index(drop=True).reindex(places).reset_index(drop=True)


def mean_average_precision(found, truth, iou=0.5):
    """The mean average precision of found segments, from 0 to 1: the mean, over the true classes,
    of the area below the interpolated curve of precision over recall.

    found: a DataFrame of start, end, class, probability, and video if there are several; truth: the
    same without probability; iou: the least intersection over union, in time, of a segment and the
    true one that it finds. In order of probability each takes, of its class's true segments that
    are left, the one with the largest; if none reaches `iou`, it is a false alarm. "None of these"
    is no class: neither found nor missed.

    The measure of temporal action detection in THUMOS14 (Jiang et al. 2014, "THUMOS Challenge:
    Action Recognition with a Large Number of Classes") and ActivityNet (Heilbron et al. 2015,
    "ActivityNet: A Large-Scale Video Benchmark for Human Activity Understanding", CVPR).
    """
    classes = truth.loc[truth["class"] != NONE, "class"].unique()
    precisions = []
    for label in classes:
        of_class = [table[table["class"] == label] for table in (found, truth)]
        precisions.append(average_precision(*of_class, iou))
    return float(np.mean(precisions))


def score_films(films, timeline_of, per_second, iou=0.5):
    """How well clips that were joined to films are found again: a dict of frame accuracy and mean
    average precision.

    films: for each a list of (class, features (n, d)) of its clips; timeline_of: function of a
    film's features that returns its segments; per_second: features in a second.
    """
    found, truth = [], []
    for video, film in enumerate(films):
        ends = np.cumsum([len(features) for _, features in film]) / per_second
        true = pd.DataFrame({"start": [0, *ends[:-1]], "end": ends, "class": [c for c, _ in film]})
        run = (true["class"] != true["class"].shift()).cumsum()  # of clips of one class in a row
        true = true.groupby(run).agg({"start": "first", "end": "last", "class": "first"})
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
    for segment in found.sort_values("probability", ascending=False, kind="stable").itertuples():
        same = left[left["video"] == segment.video]
        both = same["end"].clip(upper=segment.end) - same["start"].clip(lower=segment.start)
        either = same["end"] - same["start"] + segment.end - segment.start - both
        overlap = both / either
        hits.append(overlap.max() >= iou)
        if hits[-1]:
            left = left.drop(overlap.idxmax())
    hits = np.array(hits, bool)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return best_from_here[hits].sum() / len(truth)
