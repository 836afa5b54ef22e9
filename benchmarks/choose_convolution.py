"""How notebook 10's fixed numbers were chosen: on the four training groups that the
notebook learns from, so that the three it holds out and the three test groups stay
unseen. Each choice is judged on groups that its networks were kept from.

PYTHONPATH=notebooks .venv/bin/python benchmarks/choose_convolution.py [--first 2]
"""

import argparse
import time
from pathlib import Path

from toolbox.clips import store_clips
from toolbox.evaluation import check_groups
from toolbox.page import keras
from toolbox.store import read_csv

import numpy as np
from sklearn.model_selection import GroupKFold

from lessons.convolution import ClipBatches, compile_network, r2plus1d

FRAMES, SIZE, EPOCHS, RATE = 16, 64, 40, 0.003
DATA = Path(__file__).resolve().parent.parent / "data" / "mocap"
HELD_OUT = 3  # of the training groups, the last ones, as in the notebook
CHOICES = [{}, {"rate": 0.006}]  # settings that differ from the above


def main():
    """Print accuracy on groups that were kept from the network, and minutes, for
    each choice.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--folds", type=int, default=4, help="trainings for each choice")
    add("--first", type=int, default=4, help="... of which so many are made")
    add("--data", type=Path, default=DATA)
    options = parser.parse_args()
    videos = read_csv(options.data / "videos.csv")
    videos = videos[videos["part"] == "train"]
    chosen_on = np.unique(videos["group"])[:-HELD_OUT]
    videos = videos[videos["group"].isin(chosen_on)].reset_index(drop=True)
    paths = [options.data / video for video in videos["video"]]
    _, label = np.unique(videos["class"], return_inverse=True)
    groups = videos["group"].to_numpy(str)
    check_groups(videos["class"], groups)
    for choice in CHOICES:
        size, stored = choice.get("size", SIZE), 2 * choice.get("frames", FRAMES)
        target = options.data / f"clips_chosen_on_{stored}x{size}.npy"
        clips, _ = store_clips(paths, target, stored, size)
        started, folds = time.perf_counter(), (options.folds, options.first)
        right = judged(clips, label, groups, *folds, **choice)
        minutes = (time.perf_counter() - started) / 60 / min(folds)
        name = ", ".join(f"{k} {v}" for k, v in choice.items()) or "as is"
        count, accuracy = np.isfinite(right).sum(), np.nanmean(right)
        said = f"{accuracy:6.1%} of {count}, {minutes:.1f} min a training"
        print(f"{name:12} {said}", flush=True)


def judged(clips, label, groups, folds, first, size=SIZE, **settings):
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
        training = ClipBatches(clips, learn, one_hot[learn], frames, True)
        network = r2plus1d(frames, size, classes)
        compile_network(network, epochs * len(training), rate)
        network.fit(training, epochs=epochs, shuffle=False, verbose=0)
        tested = ClipBatches(clips, unseen, one_hot[unseen], frames, False)
        said = network.predict(tested, verbose=0)
        right[unseen] = said.argmax(axis=1) == label[unseen]
        keras.backend.clear_session()
    return right


if __name__ == "__main__":
    main()
