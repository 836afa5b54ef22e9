"""What notebook 11 gives up without optical flow: its windows, whole clips, notebook
09's flow histograms, and means of their probabilities, each group judged by the others.

.venv/bin/python benchmarks/compare_with_flow.py [FOLDER ...], as in choose_layers.py.
"""

import sys
from functools import partial
from pathlib import Path

from toolbox.models import as_array
from toolbox.models.efficientnet import CHOSEN
from toolbox.page import in_threads, progress

import pandas as pd
from choose_layers import (
    COURSE,
    SIZE,
    look_at_all,
    right_and_loss,
    videos_of,
    whole_clips,
)
from lessons_of import lesson

from lessons.own_videos import ClipClassifier
from lessons.pooling import (
    leave_groups_out,
    linear_classifier,
    mean_and_deviation,
    paired,
    square_roots,
)

STEPS = 16  # pairs of frames of a clip, as in notebook 09
WINDOWS, FLOW, PARTS = "windows (11)", "flow (09)", "whole clips, four parts"
MODELS = {
    WINDOWS: ClipClassifier(SIZE),
    PARTS: whole_clips(),
    "whole clips, mean, deviation": linear_classifier(mean_and_deviation, square_roots),
}
motion = lesson("09")


def main():
    """Print for each folder what is right, the log loss, and points gained."""
    for folder in map(Path, sys.argv[1:] or [COURSE / "data" / "mocap"]):
        clips, labels, groups = look_at_all(folder, CHOSEN)
        print(folder.name, *map(len, (clips, set(labels), set(groups))))
        moved = histograms(folder)
        known = labels, groups
        said = {name: leave_groups_out(m, clips, *known) for name, m in MODELS.items()}
        flow = linear_classifier(motion.flow_summary)
        said[FLOW] = leave_groups_out(flow, moved, *known)
        for name in (WINDOWS, PARTS):
            said[f"{FLOW} + {name}"] = (said[FLOW] + said[name]) / 2
        print(compared(said, *known).to_string(), "\n")


def histograms(folder):
    """The flow histograms of a folder's clips: (n,) of (t, 5, 5, 8)."""
    paths = [folder / video for video in videos_of(folder)["video"]]
    look = in_threads(partial(motion.motion_of, length=STEPS), paths, 2)
    return as_array(list(progress(look, total=len(paths), desc="flow")))


def compared(said, labels, groups):
    """A DataFrame with a row for each method; points gained over the windows."""
    rows, before = {}, right_and_loss(said[WINDOWS], labels)[0] * 1.0
    for name, probabilities in said.items():
        right, loss = right_and_loss(probabilities, labels)
        rows[name] = {"right": 100 * right.mean(), "log loss": loss}
        rows[name] |= paired(right - before, groups)
    return pd.DataFrame(rows).T.round(2)


if __name__ == "__main__":
    main()
