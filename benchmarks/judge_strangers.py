"""How well "none of these" tells clips of a class that was never taught from others:
both judged by one classifier that met neither that class nor their group.

.venv/bin/python benchmarks/judge_strangers.py [FOLDER ...], as in choose_layers.py.
"""

import sys
from pathlib import Path

from toolbox.evaluation import judges
from toolbox.evaluation.intervals import difference_over_groups
from toolbox.models.efficientnet import CHOSEN
from toolbox.page import progress

import numpy as np
import pandas as pd
from choose_layers import COURSE, SIZE, look_at_all

from lessons.own_videos import ClipClassifier, moments_of

KEEP, LEVELS = 0.9, ("clips", "moments")  # the share of known that are to pass
COLUMNS = ["known more sure", "strangers refused", "known pass"]


def main():
    """Print each folder's numbers of clips, classes and groups, and COLUMNS."""
    for folder in map(Path, sys.argv[1:] or [COURSE / "data" / "mocap"]):
        clips, labels, groups = look_at_all(folder, CHOSEN)
        print(folder.name, *map(len, (clips, set(labels), set(groups))))
        print(strangers(clips, labels, groups).to_string())


def strangers(clips, labels, groups):
    """A DataFrame of COLUMNS, with a row for each of LEVELS."""
    model, rows = ClipClassifier(SIZE), []
    for name in progress(np.unique(labels), desc="classes"):
        taught = labels != name
        for group, judge in judges(model, clips, labels, groups, taught).items():
            own, met = groups == group, taught & (groups != group)
            inner = judges(model, clips[met], labels[met], groups[met])
            kept = [sure(inner[groups[k]], clips[k]) for k in np.flatnonzero(met)]
            known = [sure(judge, clip) for clip in clips[own & taught]]
            new = [sure(judge, clip) for clip in clips[own & ~taught]]
            for level in LEVELS:
                sides = ([one[level] for one in side] for side in (kept, known, new))
                rows += [(level, group, *row) for row in compared(*sides)]
    table = pd.DataFrame(rows, columns=["level", "group", *COLUMNS])
    return table.set_index("group").groupby("level").agg(in_percent)


def sure(judge, clip):
    """For each of LEVELS the highest probabilities of a clip: (1,) or (frames,)."""
    said = judge.windows(clip)
    levels = said.mean(axis=0, keepdims=True), moments_of(said, SIZE, len(clip))
    return {name: p.max(axis=1) for name, p in zip(LEVELS, levels, strict=True)}


def compared(kept, known, new):
    """COLUMNS for each clip of `new`; each clip weighs the same."""
    of_kept, of_known = (
        np.concatenate([0 * p + 1 / len(p) for p in side]) for side in (kept, known)
    )
    kept, known = np.concatenate(kept), np.concatenate(known)
    threshold = -np.quantile(-kept, KEEP, weights=of_kept, method="inverted_cdf")
    passed = np.average(known >= threshold, weights=of_known)
    for one in new:
        more = np.average(known > one[:, None], axis=1, weights=of_known).mean()
        yield more, np.mean(one < threshold), passed


def in_percent(values):
    """A mean with its interval over groups, as text."""
    ends = difference_over_groups(values.to_numpy(), values.index)
    return "{:.1%} ({:.0%} to {:.0%})".format(values.mean(), *ends)


if __name__ == "__main__":
    main()
