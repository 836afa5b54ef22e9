"""How notebook 10's fixed numbers were chosen, on the training groups alone: epochs,
learning rate, size of the frames; then what order is worth, each training group judged
by a network that it was kept from.

PYTHONPATH=notebooks:tests .venv/bin/python benchmarks/choose_convolution.py [--folds 3]
[--order]
"""

import argparse
import time
from pathlib import Path

from toolbox.clips import store_clips
from toolbox.evaluation import check_groups, in_points, verdict
from toolbox.store import read_csv

import keras
import numpy as np
from lessons_of import lesson
from sklearn.model_selection import GroupKFold

STORED, FRAMES, SIZE, EPOCHS, RATE = 32, 16, 48, 40, 0.006
page = lesson("10")
DATA = Path(__file__).resolve().parent.parent / "data" / "mocap"
CHOICES = [
    *({}, {"rate": 0.002}, {"rate": 0.012}, {"frames": 8}),
    *({"epochs": 15}, {"epochs": 20}, {"size": 32}),
    *({"size": 64}, {"size": 64, "epochs": 20}, {"size": 64, "epochs": 40}),
]


def main():
    """Print accuracy on groups that were kept from the network, and minutes, for
    each choice; with --order also what order is worth, over all training groups.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--folds", type=int, default=7, help="trainings for each choice")
    add("--first", type=int, default=7, help="... of which so many are made")
    add("--data", type=Path, default=DATA)
    add("--order", action="store_true", help="only what order is worth")
    options = parser.parse_args()
    videos = read_csv(options.data / "videos.csv")
    videos = videos[videos["part"] == "train"].reset_index(drop=True)
    paths = [options.data / video for video in videos["video"]]
    _, label = np.unique(videos["class"], return_inverse=True)
    groups = videos["group"].to_numpy(str)
    check_groups(videos["class"], groups)
    choices = ({}, {"then": page.shuffle}) if options.order else CHOICES
    right = []
    for choice in choices:
        size = choice.get("size", SIZE)
        target = options.data / f"clips_of_training_{STORED}x{size}.npy"
        stored, _ = store_clips(paths, target, STORED, size)
        started, folds = time.perf_counter(), (options.folds, options.first)
        right.append(judged(stored, label, groups, *folds, **choice))
        minutes = (time.perf_counter() - started) / 60 / min(folds)
        said = (f"{k} {getattr(v, '__name__', v)}" for k, v in choice.items())
        name, mean = ", ".join(said) or "as is", np.nanmean(right[-1])
        print(f"{name:16} {mean:6.1%}, {minutes:.1f} min a training", flush=True)
    for one in right[1:]:
        met = ~np.isnan(one)
        gain = (right[0] - one)[met]
        shown = in_points(gain, groups[met]), verdict(gain, groups[met])
        print("as is over this: {} points, {}".format(*shown))


def judged(stored, label, groups, folds, first, size=SIZE, then=None, **settings):
    """Which clips get the right answer from a network that their group was kept
    from: (n,) of 0 and 1, NaN for clips of folds after the `first` ones.
    """
    frames, epochs = settings.get("frames", FRAMES), settings.get("epochs", EPOCHS)
    rate, classes = settings.get("rate", RATE), int(label.max()) + 1
    one_hot = np.eye(classes, dtype="float32")[label]
    right = np.full(len(label), np.nan)
    splits = GroupKFold(folds).split(label, groups=groups)
    for _, (learn, unseen) in zip(range(first), splits, strict=False):
        keras.utils.set_random_seed(0)
        training = page.ClipBatches(stored, learn, one_hot[learn], frames, True, then)
        model = page.r2plus1d(frames, size, classes)
        page.compile_network(model, epochs * len(training), rate)
        model.fit(training, epochs=epochs, shuffle=False, verbose=0)
        tested = page.ClipBatches(stored, unseen, one_hot[unseen], frames, False, then)
        right[unseen] = model.predict(tested, verbose=0).argmax(axis=1) == label[unseen]
        keras.backend.clear_session()
    return right


if __name__ == "__main__":
    main()
