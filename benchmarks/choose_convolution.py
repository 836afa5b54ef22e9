"""How notebook 10's fixed numbers were chosen, on the training groups alone: epochs,
learning rate, size of the frames; then what order is worth, each training group judged
by a network that it was kept from.

PYTHONPATH=notebooks .venv/bin/python benchmarks/choose_convolution.py [--folds 3]
[--order]
"""

import argparse
import time
from functools import partial
from pathlib import Path

from toolbox.clips import store_clips
from toolbox.evaluation import check_groups, in_points, verdict
from toolbox.store import read_csv

import keras
import numpy as np
from sklearn.model_selection import GroupKFold

from lessons.convolve import ClipBatches, compile_network, r2plus1d, shuffle

STORED, FRAMES, SIZE, EPOCHS, RATE = 32, 16, 48, 40, 0.006
DATA = Path(__file__).resolve().parent.parent / "data" / "mocap"
CHOICES = (
    *(
        {},
        {"rate": 0.002},
        {"rate": 0.012},
        {"frames": 8},
        {"epochs": 15},
        {"epochs": 20},
    ),
    *(
        {"size": 32},
        {"size": 64},
        {"size": 64, "epochs": 20},
        {"size": 64, "epochs": 40},
    ),
)


def main():
    """Print accuracy on groups that were kept from the network, and minutes, for
    each choice; with --order also what order is worth, over all training groups.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--folds", type=int, default=7, help="trainings for each choice"
    )
    parser.add_argument(
        "--first", type=int, default=7, help="... of which so many are made"
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--order", action="store_true", help="only what order is worth")
    options = parser.parse_args()
    videos = read_csv(options.data / "videos.csv")
    videos = videos[videos["part"] == "train"].reset_index(drop=True)
    paths = [options.data / video for video in videos["video"]]
    classes, label = np.unique(videos["class"], return_inverse=True)
    groups = videos["group"].to_numpy(str)
    check_groups(videos["class"], groups)
    choices = ({}, {"then": shuffle}) if options.order else CHOICES
    right = []
    for choice in choices:
        size = choice.get("size", SIZE)
        target = options.data / f"clips_of_training_{STORED}x{size}.npy"
        stored, _ = store_clips(paths, target, STORED, size)
        started, judge = time.perf_counter(), partial(judged, **choice)
        right.append(
            judge(stored, label, groups, len(classes), options.folds, options.first)
        )
        minutes = (
            (time.perf_counter() - started) / 60 / min(options.folds, options.first)
        )
        name = (
            ", ".join(f"{k} {getattr(v, '__name__', v)}" for k, v in choice.items())
            or "as is"
        )
        print(
            f"{name:16} {np.nanmean(right[-1]):6.1%}, {minutes:.1f} min a training",
            flush=True,
        )
    for one in right[1:]:
        met = ~np.isnan(one)
        gain = (right[0] - one)[met]
        shown = in_points(gain, groups[met]), verdict(gain, groups[met])
        print("as is over this: {} points, {}".format(*shown))


def judged(
    stored,
    label,
    groups,
    classes,
    folds,
    first,
    frames=FRAMES,
    epochs=EPOCHS,
    rate=RATE,
    **others,
):
    """Which clips get the right answer from a network that their group was kept
    from: (n,) of 0 and 1, NaN for clips of folds after the `first` ones.
    """
    one_hot, right = (
        np.eye(classes, dtype="float32")[label],
        np.full(len(label), np.nan),
    )
    splits = GroupKFold(folds).split(label, groups=groups)
    then = others.get("then")
    for _, (learn, unseen) in zip(range(first), splits, strict=False):
        keras.utils.set_random_seed(0)
        training = ClipBatches(stored, learn, one_hot[learn], frames, True, then)
        model = r2plus1d(frames, stored.shape[2], classes)
        compile_network(model, epochs * len(training), rate)
        model.fit(training, epochs=epochs, shuffle=False, verbose=0)
        tested = ClipBatches(stored, unseen, one_hot[unseen], frames, False, then)
        right[unseen] = model.predict(tested, verbose=0).argmax(axis=1) == label[unseen]
        keras.backend.clear_session()
    return right


if __name__ == "__main__":
    main()
