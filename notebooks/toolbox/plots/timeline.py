"""What happens when in a video, as a picture and as the text of each moment."""

from toolbox.clips import NONE
from toolbox.plots.frames import height_for

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colormaps
from matplotlib.colors import hsv_to_rgb
from matplotlib.ticker import PercentFormatter

GREY = (0.8, 0.8, 0.8)
MOST_CURVES, MOST_STEPS = 5, 500  # steps of a curve
LONG_VIDEO = 600  # seconds; the time axis of a longer one is in minutes
WIDTH, LEFT, RIGHT = 11, 0.85, 0.25  # inches: the figure, what is beside its time axis
AXIS = WIDTH - LEFT - RIGHT
HIGHEST_STRIP, LETTER = 1.6, 0.12  # inches


def draw_timeline(
    frames, moments, segments, classes, per_second, truth=None, title=None
):
    """Draw what happens when in a video: a strip of its frames, below it the
    probabilities of the (at most five) classes that have the most time in segments
    (of equal ones, the highest mean probability), below that its segments; returns
    the matplotlib figure.

    frames: RGB arrays, evenly spaced over the video (frame k of n from about its (k +
    ½)/n), ten at most to be legible; moments: probabilities (moments, classes);
    segments: a DataFrame of start and end (in seconds) and class; classes: their names,
    in the order of the moments' columns, which gives each its colour; per_second:
    moments in a second; truth: the true segments, like `segments`.
    """
    unit = 60 if len(moments) / per_second > LONG_VIDEO else 1
    ends = np.arange(len(moments) + 1) / per_second
    edges = ends.clip(max=segments["end"].iloc[-1]) / unit
    bars = {"found": segments} | ({} if truth is None else {"truth": truth})
    colours, names = colours_of(classes), np.array(classes)

    height = min(height_for(frames, AXIS / len(frames)), HIGHEST_STRIP)
    heights = [height, 2.2, 0.45 * len(bars)]
    above, between, below = 0.45 if title else 0.1, 0.35, 0.65
    total = above + sum(heights) + 2 * between + below
    parts = {"figsize": (WIDTH, total), "sharex": True, "height_ratios": heights}
    figure, (strip, curves, bar) = plt.subplots(3, **parts)
    left, right, space = LEFT / WIDTH, 1 - RIGHT / WIDTH, between / np.mean(heights)
    figure.subplots_adjust(left, below / total, right, 1 - above / total, hspace=space)
    figure.suptitle(title, y=1 - 0.1 / total, va="top", fontsize=14)

    draw_strip(strip, frames, edges[-1], height)
    time = (segments["end"] - segments["start"]).groupby(segments["class"]).sum()
    time = time.reindex(classes, fill_value=0).to_numpy()
    best = np.lexsort([-np.mean(moments, axis=0), -time])[:MOST_CURVES]
    draw_curves(curves, edges, moments[:, best], names[best], colours)
    bar.set(xlim=(0, edges[-1]), ylim=(len(bars) - 0.5, -0.5))
    for row, table in enumerate(bars.values()):
        draw_segments(bar, row, table, unit, colours)
    bar.set_yticks(range(len(bars)), bars, fontsize=12)
    bar.tick_params("y", length=0)
    bar.spines[:].set_visible(False)
    said = "minutes" if unit == 60 else "seconds"
    bar.set_xlabel(f"time in the video ({said})", fontsize=12)
    return figure


def draw_strip(axis, frames, end, height):
    """Draw frames side by side, each in its part of the time from 0 to `end`, as large
    as fits there; height: of the axis, in inches.
    """
    part = end / len(frames)
    for place, frame in enumerate(frames):
        tall, wide = frame.shape[:2]
        half = min(part, height * wide / tall * end / AXIS) / 2
        middle = (place + 0.5) * part
        extent = middle - half, middle + half, 0, height
        axis.imshow(frame, extent=extent, aspect="auto")
    axis.set(ylim=(0, height))
    axis.axis("off")


def draw_curves(axis, edges, moments, names, colours):
    """Draw the probabilities of classes, the columns of `moments`, each moment
    between two `edges`, and name them above. Of a long video several moments are
    averaged.
    """
    together = np.arange(0, len(moments), -(-len(moments) // MOST_STEPS))
    sizes = np.diff(together, append=len(moments))
    means = np.add.reduceat(np.asarray(moments, float), together) / sizes[:, None]
    edges = np.append(edges[together], edges[-1])
    curves = []
    for rank, (mean, name) in enumerate(zip(means.T, names, strict=True)):
        look = {"color": colours[name], "linewidth": 2.2, "zorder": 3 - rank / 10}
        curves.append(axis.stairs(mean, edges, baseline=None, **look))
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.1}
    look = {"frameon": False, "fontsize": 12, "ncols": MOST_CURVES, "columnspacing": 1}
    look |= {"borderpad": 0.2, "handlelength": 1.2, "handletextpad": 0.5}
    axis.legend(curves, [clipped(name, 18) for name in names], **place, **look)
    axis.set(ylim=(0, 1.03))
    axis.set_ylabel("probability", fontsize=12)
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.grid(alpha=0.3)


def draw_segments(axis, row, table, unit, colours):
    """Draw segments as a coloured bar, with the class's name where it fits; unit: of
    the time axis, in seconds.
    """
    start, length = table["start"] / unit, (table["end"] - table["start"]) / unit
    filled = [colours.get(label, GREY) for label in table["class"]]
    look = {"edgecolor": "white", "linewidth": min(1, 60 / len(table))}
    spans = list(zip(start, length, strict=True))
    axis.broken_barh(spans, (row - 0.42, 0.84), facecolors=filled, **look)
    letters = length * AXIS / axis.get_xlim()[1] / LETTER
    places = zip(table["class"], start + length / 2, letters, filled, strict=True)
    for label, middle, most, colour in places:
        if most >= min(3, len(label)):
            dark = np.dot(colour, (0.299, 0.587, 0.114)) < 0.65
            look = {"color": "white" if dark else "black", "fontsize": 12}
            shown = clipped(label, int(most))
            axis.text(middle, row, shown, ha="center", va="center", **look)


def clipped(name, most):
    """A name, with an ellipsis at its end if it has more letters than `most`."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def colours_of(classes):
    """The colour of each class, by its place in `classes`, as a dict of RGB triples
    (0 to 1); grey is that of "none of these".
    """
    places = np.arange(len(classes))
    hue = places * 0.618034 % 1  # by the golden ratio: none comes twice
    others = np.array([[0.9, 0.8], [0.85, 0.5], [0.5, 0.9]])[places % 3]
    further = hsv_to_rgb(np.column_stack([hue, others]))
    # dark ones, then light; 14 and 15 are grey
    first = [*range(0, 14, 2), 16, 18, *range(1, 15, 2), 17, 19]
    colours = [colormaps["tab20"](k)[:3] for k in first] + list(map(tuple, further))
    return dict(zip(classes, colours, strict=False)) | {NONE: GREY}


def caption_at(segments, moments, classes, per_second):
    """A function of the time in a video (in seconds) that gives the text to show then:
    the class of the segment and its probability in that moment, as "Walk 87%", or "none
    of these". Behind the last segment, that goes on.

    segments: a DataFrame of start (in seconds, in order) and class; moments:
    probabilities (moments, classes); classes: their names; per_second: moments in a
    second.
    """
    starts, labels = segments["start"].to_numpy(), segments["class"].tolist()
    column = {label: place for place, label in enumerate(classes)}

    def caption(seconds):
        label = labels[np.searchsorted(starts, seconds, side="right") - 1]
        if label == NONE:
            return NONE
        moment = min(int(seconds * per_second), len(moments) - 1)
        return f"{label} {moments[moment][column[label]]:.0%}"

    return caption
