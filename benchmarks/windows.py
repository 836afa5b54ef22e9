"""How notebook 11's fixed numbers were chosen, on mocap's training groups alone: what
describes a window, how long it is, how strong the regression is held back, how windows
weigh in a moment.

PYTHONPATH=notebooks .venv/bin/python benchmarks/windows.py, once notebook 11 has run on
mocap.
"""

from functools import partial
from pathlib import Path

from toolbox.evaluation import compare, out_of_group, segments_of
from toolbox.models import as_array
from toolbox.store import read_csv

import numpy as np

from lessons.own_videos import ClipClassifier, describe, moments_of, windows_of

RATE, SIZE, THRESHOLD, FILMS = 4, 8, 0.27, 40  # films of each group
DATA = Path(__file__).resolve().parent.parent / "data" / "mocap"
PARTS = {"mean": 1, "mean, deviation": 2, "mean, deviation, step": 3, "all four": 4}


def main():
    """Print accuracy and log loss, each training group judged by the others, for
    each choice; and which share of moments is right in films, which share of films
    has all cuts within half a second, for each weight.
    """
    videos = read_csv(DATA / "videos.csv")
    videos = videos[videos["part"] == "train"]
    clips = as_array([np.load(DATA / f"pooled/{c}.npy") * 1.0 for c in videos["clip"]])
    labels, groups = videos["class"].to_numpy(str), videos["group"].to_numpy(str)
    part = {"clips": clips, "labels": labels, "groups": groups}
    for name, count in PARTS.items():
        model = ClipClassifier(SIZE, describe=partial(first_parts, count=count))
        tell(name, model, **part)
    for size in (4, 6, 12):
        tell(f"all four, windows of {size / RATE:g} s", ClipClassifier(size), **part)
    for strength in (0.01, 0.03, 0.3, 1):
        model = ClipClassifier(SIZE, strength=strength)
        tell(f"all four, C = {strength:g}", model, **part)
    weigh_windows(**part)


def first_parts(windows, count):
    """The first of the four parts of a description, together of unit length but for
    the change.
    """
    rows = np.asarray(describe(windows))
    width = windows.shape[-1]
    still, way = rows[:, : min(count, 3) * width], rows[:, 3 * width :]
    still = still / np.linalg.norm(still, axis=1, keepdims=True)
    return np.hstack([still, way]) if count == 4 else still


def tell(name, model, clips, labels, groups):
    """Print how good a classifier is on groups that it never met."""
    said = out_of_group(model, clips, labels, groups)
    found = compare({name: said}, labels, groups).loc[name]
    right, loss = found["accuracy"], found["log loss"]
    print(f"{name:32} {right:6.1%} right, log loss {loss:.2f}", flush=True)


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
