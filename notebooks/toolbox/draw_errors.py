"""Pictures of a classifier: heat over a frame, accuracy by class and group, calibration."""

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter


def draw_heat(frame, heat, limit=None, strength=0.75):
    """Lay a map over an RGB uint8 frame (height, width, 3): red where it is positive, blue where it
    is negative, nothing where it is 0. Returns a frame of the same shape.

    heat: (h, w); limit: the value with the full colour, or None for the map's own largest.
    """
    limit = max(np.abs(heat).max() if limit is None else limit, 1e-12)
    smooth = cv2.resize((heat / limit).astype("float32"), frame.shape[1::-1])[..., None].clip(-1, 1)
    opacity, colour = strength * np.abs(smooth), np.where(smooth > 0, [220, 30, 20], [20, 60, 220])
    return (frame * (1 - opacity) + colour * opacity).astype("uint8")


def draw_by_group(right, labels, groups, title=None):
    """Draw the accuracy of each class in each group as a table; returns the matplotlib figure.

    right: (n,) bool; labels, groups: (n,). Empty where a group has no clip of a class. A last row
    and a last column hold the means. Of more than 30 classes, the 30 worst are drawn.
    """
    table = pd.DataFrame({"class": labels, "group": groups, "right": np.asarray(right, float)})
    cells = table.pivot_table(index="class", columns="group", values="right")
    cells["all"] = table.groupby("class")["right"].mean()
    cells = cells.sort_values("all", kind="stable").head(30)
    cells.loc["all"] = [*table.groupby("group")["right"].mean(), table["right"].mean()]
    values = cells.to_numpy()
    size = (2.2 + 0.55 * values.shape[1], 0.9 + 0.3 * len(values))
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    axis.imshow(values, cmap="RdYlBu", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(values.shape[1]), cells.columns, rotation=0 if len(cells.T) < 13 else 90)
    axis.set_yticks(range(len(values)), cells.index)
    for row, column in np.argwhere(~np.isnan(values)):
        dark = abs(values[row, column] - 0.5) > 0.4
        text = f"{values[row, column]:.0%}"
        colour = "white" if dark else "black"
        axis.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    axis.axhline(len(values) - 1.5, color="white", linewidth=4)
    axis.axvline(values.shape[1] - 1.5, color="white", linewidth=4)
    axis.set(xlabel="group, judged by a classifier of the others")
    figure.suptitle(title)
    return figure


def draw_reliability(tables, title=None):
    """Draw accuracy over confidence, side by side; returns the matplotlib figure.

    tables: a dict from name to a DataFrame of `confidence`, `accuracy`, `low` and `high` (NaN: no
    interval), a row for each bin.
    """
    size = (3.7 * len(tables), 3.8)
    figure, axes = plt.subplots(
        1, len(tables), figsize=size, squeeze=False, sharey=True, layout="constrained"
    )
    for axis, (name, table) in zip(axes.flat, tables.items(), strict=True):
        axis.plot([0, 1], [0, 1], color="black", linestyle=":", linewidth=1)
        axis.vlines(table["confidence"], table["low"], table["high"], color="tab:blue", alpha=0.5)
        axis.plot(table["confidence"], table["accuracy"], "o", color="tab:blue")
        axis.set(title=name, xlabel="probability of the answer", xlim=(0, 1), ylim=(0, 1))
        axis.xaxis.set_major_formatter(PercentFormatter(1))
    axes[0, 0].yaxis.set_major_formatter(PercentFormatter(1))
    axes[0, 0].set_ylabel("share right, with its interval")
    figure.suptitle(title)
    return figure
