"""How 08's and 09's fixed numbers were chosen, on mocap's training groups alone: what
the networks see of a clip, their learning rates and epochs, the cells of the flow
histograms.

PYTHONPATH=notebooks:tests .venv/bin/python benchmarks/choose_order.py, once
notebook 08 has run on mocap.
"""

from functools import partial
from pathlib import Path

from toolbox.clips import evenly_spaced
from toolbox.evaluation import is_right, out_of_group
from toolbox.models import SequenceNetwork, as_array, warm_up_and_cosine
from toolbox.page import in_threads
from toolbox.store import read_csv

import numpy as np
from lessons_of import lesson

from lessons.pooling import linear_classifier, square_roots

STEPS, FOLDS = 16, 4
CHOICES = [(20, 0.01), (30, 0.003), (30, 0.01), (40, 0.003), (40, 0.01)]
DATA = Path(__file__).resolve().parent.parent / "data" / "mocap"
order, motion = lesson("08"), lesson("09")
NETWORKS = [order.mean_pooling, order.convolution, order.recurrent, order.transformer]


def main():
    """Print the accuracy on training groups that were left out, for each choice."""
    videos = read_csv(DATA / "videos.csv")
    videos = videos[videos["part"] == "train"]
    clips = [
        np.load(DATA / f"pooled/VGG16/{c}.npy") * np.float32(1) for c in videos["clip"]
    ]
    clips = as_array([clip[evenly_spaced(len(clip), STEPS)] for clip in clips])
    known = videos["class"].to_numpy(str), videos["group"].to_numpy(str)
    choose_cells(videos, *known)
    for build in NETWORKS[::2]:
        for prepare in (np.sqrt, square_roots):
            tell(build, prepare, 30, 0.01, clips, *known)
    for build in NETWORKS:
        for epochs, peak in CHOICES:
            tell(build, order.departures, epochs, peak, clips, *known)


def tell(build, prepare, epochs, peak, clips, labels, groups):
    """Print how good a network is on groups that it never met."""
    rate = warm_up_and_cosine(peak, epochs)
    network = SequenceNetwork(build, prepare, STEPS, epochs, rate)
    said = out_of_group(network, clips, labels, groups, folds=FOLDS)
    how = f"{prepare.__name__}, {epochs} epochs, peak {peak:g}"
    right = is_right(said, labels).mean()
    print(f"{build.__name__:12} {how:40} {right:.1%}", flush=True)


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
        right = is_right(out_of_group(model, moves, labels, groups), labels).mean()
        print(f"flow, {cells} x {cells} cells {right:.1%}", flush=True)


if __name__ == "__main__":
    main()
