"""How it was chosen what EfficientNet-Lite0 hands on, and how notebook 11 describes
windows: on groups left out, of mocap's training part and of all of another folder's
people.

.venv/bin/python benchmarks/choose_layers.py [FOLDER ...], each with lists (their
training part counts) or without (all clips do); default: data/mocap.
"""

import sys
from functools import partial
from itertools import combinations
from pathlib import Path

from toolbox.clips import make_video_table, read_lists
from toolbox.models import as_array, efficientnet_backbone, look_at, segments_of
from toolbox.models.efficientnet import CHOSEN
from toolbox.page import progress

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lessons.own_videos import ClipClassifier, describe, moments_of, windows_of
from lessons.pooling import leave_groups_out

COURSE = Path(__file__).resolve().parent.parent
RATE, SIZE, THRESHOLD, FILMS = 4, 8, 0.27, 40  # films of each group
LAYERS = {"widened_10": 672, "widened_11": 672, "widened_14": 1152, "widened_15": 1152}
LAYERS |= {"head": 1280}
PARTS = {"mean": 1, "mean, deviation": 2, "mean, deviation, step": 3, "all four": 4}


def main():
    """Print accuracy and log loss of each choice on each folder."""
    folders = sys.argv[1:] or [COURSE / "data" / "mocap"]
    looked = {Path(folder).name: look_at_all(Path(folder)) for folder in folders}
    rows = {}
    for layers in [*((name,) for name in LAYERS), *combinations(LAYERS, 2)]:
        rows[" + ".join(layers)] = judged(looked, whole_clips(), layers)
    print(pd.DataFrame(rows).T.to_string(), "\n")
    rows = {}
    for name, count in PARTS.items():
        model = ClipClassifier(SIZE, describe=partial(first_parts, count=count))
        rows[name] = judged(looked, model)
    for size in (4, 6, 12):
        rows[f"all four, {size / RATE:g} s"] = judged(looked, ClipClassifier(size))
    for strength in (0.003, 0.01, 0.03, 0.1, 0.3):
        model = ClipClassifier(SIZE, strength=strength)
        rows[f"all four, C = {strength:g}"] = judged(looked, model)
    print(pd.DataFrame(rows).T.to_string(), "\n")
    for name, (clips, labels, groups) in looked.items():
        print(name)
        weigh_windows(layers_of(clips, CHOSEN), labels, groups)


def look_at_all(folder, layers=tuple(LAYERS)):
    """(clips, labels, groups) of a folder; of a clip, the layers side by side."""
    videos = videos_of(folder)
    network = efficientnet_backbone(COURSE / "weights", layers).using(pooled=True)
    paths = progress([folder / video for video in videos["video"]], desc=folder.name)
    clips = as_array([look_at(path, network, RATE) for path in paths])
    return clips, videos["class"].to_numpy(str), videos["group"].to_numpy(str)


def videos_of(folder):
    """The table of a folder's clips: of its training part, if it has lists."""
    videos, _ = make_video_table(folder)
    return videos[videos["part"] == "train"] if read_lists(folder) else videos


def layers_of(clips, layers):
    """The columns of some layers."""
    ends = np.cumsum(list(LAYERS.values()))
    at = dict(zip(LAYERS, np.split(np.arange(ends[-1]), ends[:-1]), strict=True))
    columns = np.concatenate([at[layer] for layer in layers])
    return as_array([clip[:, columns] for clip in clips])


def judged(looked, model, layers=CHOSEN):
    """How good a classifier is on groups that it never met, on each folder."""
    row = {}
    for name, (clips, labels, groups) in looked.items():
        said = leave_groups_out(model, layers_of(clips, layers), labels, groups)
        right, loss = right_and_loss(said, labels)
        row[f"{name}, right"] = f"{right.mean():.1%}"
        row[f"{name}, log loss"] = f"{loss:.2f}"
    return row


def right_and_loss(said, labels):
    """Which clips are right, (n,) bool, and the log loss of probabilities (n, classes);
    they are clipped at a millionth.
    """
    true = np.unique(labels, return_inverse=True)[1]
    loss = -np.log(said[np.arange(len(true)), true].clip(1e-6)).mean()
    return said.argmax(axis=1) == true, loss


def whole_clips():
    """A logistic regression of whole clips, all four parts, fitted to the end: 06's
    `linear_classifier` stops sooner, which costs such long rows up to 10 points.
    """
    described = FunctionTransformer(
        lambda clips: np.concatenate([describe(clip[None]) for clip in clips])
    )
    return make_pipeline(described, StandardScaler(), LogisticRegression(C=0.1))


def first_parts(windows, count):
    """The first of the four parts of a description, together of unit length but for
    the change.
    """
    rows = np.asarray(describe(windows))
    width = windows.shape[-1]
    still, way = rows[:, : min(count, 3) * width], rows[:, 3 * width :]
    still = still / np.linalg.norm(still, axis=1, keepdims=True)
    return np.hstack([still, way]) if count == 4 else still


def weigh_windows(clips, labels, groups):
    """Print how good films of three clips are cut, a window weighing a power of its
    highest.
    """
    classes, rng = np.unique(labels), np.random.default_rng(0)
    scores = {power: [] for power in (0, 1, 2, 4, 8)}
    for group in np.unique(groups):
        own = groups == group
        model = ClipClassifier(SIZE).fit(clips[~own], labels[~own])
        for _ in range(FILMS):
            chosen = rng.choice(np.flatnonzero(own), 3, replace=False)
            film = np.concatenate(clips[chosen])
            rows = np.asarray(describe(windows_of(film, SIZE)))
            windows = model.linear_.predict_proba(model.scaler_.transform(rows))
            lengths = list(map(len, clips[chosen]))
            true = np.repeat(labels[chosen], lengths)
            cuts = np.cumsum(lengths)[:-1] / RATE
            for power, found in scores.items():
                moments = moments_of(windows, SIZE, len(film), power)
                table = segments_of(moments, classes, RATE, THRESHOLD)
                spans = np.round(RATE * (table["end"] - table["start"])).astype(int)
                right = np.repeat(table["class"], spans).to_numpy() == true
                starts = table["start"].to_numpy()[1:]
                near = len(starts) == 2 and np.abs(starts - cuts).max() <= 0.5
                found.append((right.mean(), near))
    for power, found in scores.items():
        right, cut = np.mean(found, axis=0)
        print(
            f"power {power}: {right:.1%} of moments right, {cut:.1%} of films cut right"
        )


if __name__ == "__main__":
    main()
