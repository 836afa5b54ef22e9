"""Pictures for the pages: grids of frames, moving clips, confusion matrices."""

import base64
import html
import io

from toolbox.videos import evenly_spaced

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.ticker import PercentFormatter
from PIL import Image, ImageDraw
from skimage.util import montage

plt.rcParams["text.parse_math"] = False  # a class called "$5_vs_$10" is no formula
MOST_FRAMES = 70  # in a grid: more are too small to see, and take minutes to draw
MOST_PIXELS = 40_000_000  # in all pictures of an animation: about 120 MB while it is made


def height_for(frames, width):
    """The height, in the unit of `width`, in which the tallest of the frames fits; at most twice
    the width (a taller frame is made narrower).
    """
    return width * min(2, max(frame.shape[0] / frame.shape[1] for frame in frames))


def show_frames(frames, titles, columns=7, width=1.9, title=None):
    """Draw frames in a grid, each with its title; returns the matplotlib figure.

    frames: RGB arrays, of any sizes; titles: a text for each; columns: frames side by side; width:
    of a frame, in inches. Of more than 70 frames, 70 evenly spaced ones are drawn, and the title
    says so.
    """
    frames, titles = list(frames), list(titles)
    if len(frames) > MOST_FRAMES:
        title = f"{title or ''} ({MOST_FRAMES} of {len(frames):,})".strip()
        drawn = evenly_spaced(len(frames), MOST_FRAMES)
        frames, titles = [frames[k] for k in drawn], [titles[k] for k in drawn]
    rows = -(-len(frames) // columns)
    row_height = height_for(frames, width) + 0.32
    size = (columns * width, rows * row_height + (0.4 if title else 0))
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, frame, text in zip(axes.flat, frames, titles, strict=False):
        axis.imshow(frame)
        axis.set_title(text, fontsize=10)
    figure.suptitle(title)
    return figure


def animate(clips, titles, columns=7, width=128, frames_per_second=10):
    """Play clips side by side in the page, as one looping animated WebP picture.

    clips: lists of RGB uint8 frames (any size; shorter clips start again); titles: a text for each;
    columns: clips side by side; width: of a clip, in pixels. Where all pictures together would have
    more than 40 million pixels, only every second (third, ...) moment is shown, for twice the time.
    Returns an IPython HTML object, whose alternative text names the titles.
    """
    titles = list(titles)
    height = round(height_for([clip[0] for clip in clips], width))
    columns = min(columns, len(clips))
    grid = (-(-len(clips) // columns), columns)
    moments = max(map(len, clips))
    step = -(-moments * grid[0] * columns * width * (height + 16) // MOST_PIXELS)
    pages = []
    for time in range(0, moments, step):
        tiles = [
            titled_tile(clip[time % len(clip)], title, width, height)
            for clip, title in zip(clips, titles, strict=True)
        ]
        page = montage(tiles, grid_shape=grid, fill=(255, 255, 255), channel_axis=-1)
        pages.append(Image.fromarray(page))
    buffer = io.BytesIO()
    timing = {"duration": 1000 * step // frames_per_second, "loop": 0}
    pages[0].save(buffer, "WEBP", save_all=True, append_images=pages[1:], quality=50, **timing)
    picture = base64.b64encode(buffer.getvalue()).decode()
    description = html.escape(f"Animation: {', '.join(titles)}")
    return HTML(f'<img alt="{description}" src="data:image/webp;base64,{picture}">')


def titled_tile(frame, title, width, height):
    """A white tile, an RGB array of `width` x (`height` + 16) pixels: a line of text, and below it
    the frame, scaled to fit.
    """
    scale = min((width - 2) / frame.shape[1], height / frame.shape[0])
    size = [max(1, round(side * scale)) for side in frame.shape[1::-1]]
    tile = Image.new("RGB", (width, height + 16), "white")
    tile.paste(Image.fromarray(frame).resize(size, Image.Resampling.BOX), (0, 16))
    ImageDraw.Draw(tile).text((1, 2), title, fill="black")
    return np.asarray(tile)


def draw_confusion(truth, predicted, classes):
    """Draw a confusion matrix as counts, a row for each true class; returns the matplotlib figure.

    truth, predicted: the classes of each clip (None where nothing was predicted: not counted);
    classes: their names, in the order of rows and columns.
    """
    counts = pd.crosstab(
        pd.Categorical(truth, classes), pd.Categorical(predicted, classes), dropna=False
    )
    counts = counts.reindex(index=classes, columns=classes, fill_value=0).to_numpy()
    side = min(3 + 0.32 * len(classes), 14)
    figure, axis = plt.subplots(figsize=(side + 0.6, side), layout="constrained")
    axis.imshow(counts, cmap="Blues")
    if len(classes) <= 25:
        axis.set_xticks(range(len(classes)), classes, rotation=60, ha="right")
        axis.set_yticks(range(len(classes)), classes)
        for row, column in np.argwhere(counts):
            dark = counts[row, column] > counts.max() / 2
            axis.text(
                column,
                row,
                counts[row, column],
                ha="center",
                va="center",
                color="white" if dark else "black",
                fontsize=8,
            )
    axis.set(xlabel="the vote says", ylabel="true class")
    return figure


def draw_curve(curve, chance):
    """Draw accuracy over the number of clips learned from, a line for each source; returns the
    matplotlib figure.

    curve: DataFrame of source, groups, clips and accuracy, see `toolbox.validate.curve_over_groups`
    (the mean over the draws is drawn); chance: a guess's accuracy.
    """
    figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
    means = curve.groupby(["source", "groups"])[["clips", "accuracy"]].mean()
    for source, line in means.groupby("source"):
        axis.plot(line["clips"], line["accuracy"], "o-", label=f"clips from {source}")
    axis.axhline(chance, color="black", linestyle=":", label="chance")
    axis.set(xlabel="clips learned from", ylabel="accuracy on unseen groups", ylim=(0, 1))
    least = means.xs(curve["groups"].min(), level="groups")
    found = ", ".join(f"{row['accuracy']:.0%} ({source})" for source, row in least.iterrows())
    axis.set_title(f"Trained on {least['clips'].mean():.0f} clips: {found} right")
    axis.legend()
    return figure


def draw_trade_off(known, strangers, threshold):
    """Draw which share of strangers is refused over which share of known clips passes, at all
    thresholds; returns the matplotlib figure.

    known, strangers: the highest probabilities of clips, (n,) each, not-a-number where a clip
    couldn't be judged; threshold: the chosen one, marked.
    """
    thresholds = np.append(np.linspace(0, 1, 201), threshold)
    passed = (known[~np.isnan(known), None] >= thresholds).mean(axis=0)
    refused = (strangers[~np.isnan(strangers), None] < thresholds).mean(axis=0)
    figure, axis = plt.subplots(figsize=(4.8, 4), layout="constrained")
    axis.plot(passed[:-1], refused[:-1])
    axis.plot([0, 1], [1, 0], color="black", linestyle=":", label="at random")
    axis.plot(passed[-1], refused[-1], "o", label=f"the threshold, {threshold:.2f}")
    axis.set(xlabel="share of known clips that pass", ylabel="share of unknown clips refused")
    axis.set_title(f"{passed[-1]:.0%} pass, {refused[-1]:.0%} of clips of unknown classes don't")
    axis.legend()
    return figure


def draw_intervals(rows, chance, title, beside=None, label="accuracy"):
    """Draw accuracies, a line for each row from above: a dot, with its 95 % interval; returns the
    matplotlib figure.

    rows: dicts with `method`, `accuracy`, `low` and `high` (None: no interval), as in
    `results.json`; chance: a guess's accuracy; beside: (text, values): an orange diamond for each
    row, None for rows without, and what it stands for; label: what the dots stand for.
    """
    size = (8, 1.6 + 0.36 * len(rows))
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    for height, row in enumerate(rows):
        if row["low"] is not None:
            axis.plot([row["low"], row["high"]], [height, height], color="tab:blue", linewidth=2)
        known = label if height == 0 else None
        axis.plot(row["accuracy"], height, "o", color="tab:blue", markersize=8, label=known)
    if beside:
        text, values = beside
        there = [(value, height) for height, value in enumerate(values) if value is not None]
        axis.plot(*zip(*there, strict=True), "D", color="tab:orange", mfc="none", label=text)
    axis.axvline(chance, color="black", linestyle=":", linewidth=1, label=f"chance, {chance:.0%}")
    axis.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), yticks=range(len(rows)))
    axis.set_yticklabels([row["method"] for row in rows])
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    axis.set_title(title, loc="left")
    return figure
