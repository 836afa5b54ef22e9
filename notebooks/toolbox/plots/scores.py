"""Pictures of how good a classifier is: intervals, confusion, curves, heat."""

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix


def draw_heat(frame, heat, limit=None, strength=0.75):
    """Lay a map over an RGB uint8 frame (height, width, 3): red where it is positive,
    blue where it is negative, nothing where it is 0. Returns a frame of the same shape.

    heat: (h, w); limit: the value with the full colour, or None for the map's own
    largest.
    """
    limit = max(np.abs(heat).max() if limit is None else limit, 1e-12)
    smooth = cv2.resize((heat / limit).astype("float32"), frame.shape[1::-1])
    smooth = smooth[..., None].clip(-1, 1)
    opacity = strength * np.abs(smooth)
    colour = np.where(smooth > 0, [220, 30, 20], [20, 60, 220])
    return (frame * (1 - opacity) + colour * opacity).astype("uint8")


def draw_workers(reports, victim=None, killed_at=None):
    """Draw who did what when: a bar for each clip in its worker's row, and above them a
    mark for each time at which a clip had been decoded; returns the matplotlib figure.

    reports: DataFrame of worker, decoded, started and finished (seconds since 1970);
    victim: the worker that was killed, at `killed_at`, if any.
    """
    names = list(reports["worker"].unique())
    origin = min(reports["decoded"].min(), reports["started"].min())
    size = (8, 1.3 + 0.4 * len(names))
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    decoded = reports["decoded"] - origin
    axis.plot(decoded, np.zeros(len(decoded)), "|", color="tab:orange", ms=14)
    for row, name in enumerate(names, 1):
        theirs = reports[reports["worker"] == name]
        lengths = theirs["finished"] - theirs["started"]
        spans = np.stack([theirs["started"] - origin, lengths], axis=1)
        colour = "tab:red" if name == victim else "tab:blue"
        axis.broken_barh(spans, (row - 0.35, 0.7), color=colour, edgecolor="white")
    labels = ["decoded", *(f"process {name}" for name in names)]
    axis.set_yticks(range(len(labels)), labels)
    axis.set(xlabel="seconds", ylim=(len(names) + 0.5, -0.5))
    title = "Nobody was killed this time"
    if victim is not None:
        after = killed_at - origin
        axis.axvline(after, color="tab:red", linestyle=":")
        title = f"Killed after {after:.0f} s; the rest was done without it"
    axis.set_title(title, loc="left")
    return figure


def draw_control(rows, shuffled, title):
    """Draw every method in order, with its interval, and as diamonds those that learned
    from and judged shuffled clips; returns the matplotlib figure.

    rows, shuffled: rows of `results.json`, of the same methods.
    """
    beside = "learned from and judged shuffled", [row["accuracy"] for row in shuffled]
    label = "learned from and judged in order"
    return draw_intervals(rows, rows[0]["chance"], title, beside, label)


def draw_confusion(truth, predicted, classes, title=None, said="the vote says"):
    """Draw a confusion matrix as counts, a row for each true class; returns the
    matplotlib figure.

    truth, predicted: the classes of each clip (None where nothing was predicted: not
    counted); classes: their names, in the order of rows and columns; said: what the
    columns stand for.
    """
    answered = pd.DataFrame({"truth": truth, "said": list(predicted)}).dropna()
    counts = confusion_matrix(answered["truth"], answered["said"], labels=classes)
    few, side = len(classes) <= 25, min(3 + 0.32 * len(classes), 14)
    figure, axis = plt.subplots(figsize=(side + 0.6, side), layout="constrained")
    display = ConfusionMatrixDisplay(counts, display_labels=classes if few else None)
    display.plot(include_values=few, cmap="Blues", colorbar=False, ax=axis)
    axis.set(xlabel=said, ylabel="true class")
    for text in display.text_.flat if few else []:
        text.set_visible(text.get_text() != "0")
    plt.setp(axis.get_xticklabels(), rotation=60, ha="right", rotation_mode="anchor")
    figure.suptitle(title)
    return figure


def draw_curve(curve, chance):
    """Draw accuracy over the number of clips learned from, a line for each source, the
    mean over the draws; returns the matplotlib figure.

    curve: from `toolbox.evaluation.curve_over_groups`; chance: a guess's accuracy.
    """
    figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
    means = curve.groupby(["source", "groups"])[["clips", "accuracy"]].mean()
    for source, line in means.groupby("source"):
        axis.plot(line["clips"], line["accuracy"], "o-", label=f"clips from {source}")
    axis.axhline(chance, color="black", linestyle=":", label="chance")
    axis.set(xlabel="clips learned from", ylabel="accuracy on unseen groups")
    axis.set(ylim=(0, 1))
    ends = means.loc["few groups"]["accuracy"].iloc[[0, -1]]
    (least, most), (low, high) = ends.index, ends
    axis.set_title(f"From {least} to {most} groups: from {low:.0%} to {high:.0%} right")
    axis.legend()
    return figure


def draw_trade_off(known, strangers, threshold):
    """Draw which share of strangers is refused over which share of the known passes,
    at all thresholds; returns the matplotlib figure.

    known, strangers: the highest probabilities of moments, (n,) each, not-a-number
    where one couldn't be judged; threshold: the chosen one, marked.
    """
    thresholds = np.append(np.linspace(0, 1, 201), threshold)
    passed, refused = (
        pd.DataFrame(said[~np.isnan(said), None] >= thresholds).mean().to_numpy()
        for said in (known, strangers)
    )
    refused = 1 - refused
    figure, axis = plt.subplots(figsize=(4.8, 4), layout="constrained")
    axis.plot(passed[:-1], refused[:-1])
    axis.plot([0, 1], [1, 0], color="black", linestyle=":", label="at random")
    axis.plot(passed[-1], refused[-1], "o", label=f"the threshold, {threshold:.2f}")
    axis.set_xlabel("share of moments of known classes that pass")
    axis.set_ylabel("share of unknown ones refused")
    axis.set_title(f"{passed[-1]:.0%} of known, {1 - refused[-1]:.0%} of unknown pass")
    axis.legend()
    return figure


def draw_intervals(rows, chance, title, beside=None, label="accuracy"):
    """Draw accuracies, a line for each row from above: a dot, with its 95 % interval;
    returns the matplotlib figure.

    rows: dicts with `method`, `accuracy`, `low` and `high` (None: no interval), as in
    `results.json`; chance: a guess's accuracy; beside: (text, values): an orange
    diamond for each row, None for rows without, and what it stands for; label: what the
    dots stand for.
    """
    size = (8, 1.6 + 0.36 * len(rows))
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    for height, row in enumerate(rows):
        if row["low"] is not None:
            axis.plot([row["low"], row["high"]], [height] * 2, color="tab:blue", lw=2)
    found, places = [row["accuracy"] for row in rows], range(len(rows))
    axis.plot(found, places, "o", color="tab:blue", markersize=8, label=label)
    if beside:
        values, look = np.array(beside[1], float), {"mfc": "none", "label": beside[0]}
        axis.plot(values, places, "D", color="tab:orange", **look)
    guess = {"color": "black", "linestyle": ":", "linewidth": 1}
    axis.axvline(chance, label=f"chance, {chance:.0%}", **guess)
    axis.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    axis.set_yticks(places, [row["method"] for row in rows])
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    axis.set_title(title, loc="left")
    return figure
