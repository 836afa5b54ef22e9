"""How 08's and 09's fixed numbers were chosen: what the networks see of a clip, on
groups left out of mocap's training part and of other datasets; the cells of the flow
histograms, on mocap's training part alone.

PYTHONPATH=notebooks:tests .venv/bin/python benchmarks/choose_order.py [DATASET ...],
once notebook 00 has run on each; of those without lists all clips count.
"""

import sys
from functools import partial
from pathlib import Path

from toolbox.clips import find_dataset
from toolbox.evaluation import is_right
from toolbox.models import as_array, pooled_clips
from toolbox.page import in_threads

import numpy as np
from lessons_of import lesson

from lessons.pooling import leave_groups_out, linear_classifier, square_roots

STEPS, FOLDS = 16, 4
COURSE = Path(__file__).resolve().parent.parent
DATA = COURSE / "data" / "mocap"
order, motion = lesson("08"), lesson("09")
departures = order.departures  # the page's own, before others stand in for it
READERS = [order.mean_pooling, order.convolution, order.recurrent]


def main():
    """Print the accuracy on groups that were left out, for each choice."""
    for name in ["mocap", *sys.argv[1:]]:
        dataset = find_dataset(name, COURSE)
        videos, clips, _ = pooled_clips(dataset)
        clips = as_array([clip[: order.STEPS] for clip in clips])
        learn = (videos["part"] == "train").to_numpy() | (name != "mocap")
        known = (videos[key].to_numpy(str)[learn] for key in ("class", "group"))
        clips, labels, groups = clips[learn], *known
        if name == "mocap":
            choose_cells(videos[learn], labels, groups)
        choose_networks(clips, labels, groups)


def both(clip):
    """Roots of unit length and departures, side by side: (frames, 2 d)."""
    return np.hstack([square_roots(clip), departures(clip)])


def choose_networks(clips, labels, groups):
    """Print how good the networks are, by what they see, and by the peak of their
    learning rate.
    """
    tell = partial(try_out, clips, labels, groups)
    for read in READERS[:2]:
        for sees in (square_roots, both):
            tell(read, sees, 0.003)
    for read in READERS:
        for peak in (0.003, 0.01):
            tell(read, departures, peak)


def try_out(clips, labels, groups, read, sees, peak):
    """Print how good a network is on groups that it never met."""
    order.departures = sees
    network = order.SequenceClassifier(read, peak)
    said = leave_groups_out(network, clips, labels, groups, folds=FOLDS)
    how = f"{sees.__name__}, peak {peak:g}"
    print(
        f"{read.__name__:14} {how:26} {is_right(said, labels).mean():.1%}", flush=True
    )


def choose_cells(videos, labels, groups):
    """Print how good the flow histograms are with 3 to 6 cells a side."""
    paths = [DATA / video for video in videos["video"]]
    for cells in (3, 4, 5, 6):
        look = partial(motion.motion_of, length=STEPS, cells=cells)
        moved = list(in_threads(look, paths))
        moves = motion.described(moved, cells)
        turns = np.array([rows[:, -1].sum() > 0 for rows in moved])
        moves[turns] = motion.mirrored(moves[turns])
        model = linear_classifier(lambda clips: clips.reshape(len(clips), -1))
        right = is_right(leave_groups_out(model, moves, labels, groups), labels).mean()
        print(f"flow, {cells} x {cells} cells {right:.1%}", flush=True)


if __name__ == "__main__":
    main()
