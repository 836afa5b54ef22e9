"""Do what notebook 04 does, on a given number of frames, and print the peak memory of
this process.

`run.py` starts it in a fresh process for each number of frames. The last line of the
output is a JSON object: the highest memory so far, in MB, after each step.
"""

import argparse
import contextlib
import itertools
import json
import re
import sys
import tempfile
from pathlib import Path

from toolbox.models import (
    Backbone,
    FeatureBatches,
    extract_features,
    train_head,
    vgg16_backbone,
)

import keras
import numpy as np

from lessons.transfer import divide_by_255, make_head

REPOSITORY = Path(__file__).resolve().parents[1]


def peak_megabytes():
    """The largest memory that this process ever held, file pages included, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where ru_maxrss starts from what the parent held
        [peak] = re.findall(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8"))
        return int(peak) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak if sys.platform == "darwin" else peak * 1024) / 1e6


def stand_in():
    """A network with VGG16's input and output and next to none of its work."""
    pool = keras.layers.AveragePooling2D(32)
    filters = keras.layers.Conv2D(512, 1, activation="relu")
    model = keras.Sequential([keras.Input((224, 224, 3)), pool, filters])

    def compute(pixels, layers):
        return [model.predict_on_batch(pixels)]

    engine = compute, {"last": (7, 7, 512)}
    return Backbone("stand-in", "Keras", lambda: engine, divide_by_255, ("last",))


def steps_of_04(paths, vgg16_frames, folder):
    """Run the steps of notebook 04 on the frames; returns {step: peak in MB after it}.

    If `vgg16_frames` is less than all, VGG16 does so many, and then a stand-in does all
    of them.
    """
    peaks = {}
    network = vgg16_backbone(REPOSITORY / "weights", divide_by_255)
    features_file = folder / "features.npy"
    if vgg16_frames < len(paths):
        extract_features(paths[:vgg16_frames], network, folder / "by_vgg16.npy")
        peaks["VGG16 features"] = peak_megabytes()
        extract_features(paths, stand_in(), features_file)
        peaks["all features"] = peak_megabytes()
    else:
        extract_features(paths, network, features_file)
        peaks["VGG16 features"] = peak_megabytes()
    rows = np.random.default_rng(0).permutation(len(paths))
    labels = np.eye(14, dtype="float32")[rows % 14]
    validation, train = (
        FeatureBatches(features_file, rows[part], labels[part], 10.0, seed=0)
        for part in np.split(np.arange(len(rows)), [len(rows) // 5])
    )
    head = make_head(14)
    head.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    train_head(head, train, validation, folder / "weights.hdf5", 2, patience=10)
    peaks["head trained"] = peak_megabytes()
    return peaks


def main():
    """Run the steps with their progress on stderr, print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("frames", type=Path, help="folder of JPEG frames, used again and again")
    add("count", type=int, help="how many frames")
    add("--vgg16-frames", type=int, help="how many go through VGG16 (default: all)")
    options = parser.parse_args()
    files = itertools.cycle(sorted(options.frames.glob("*.jpg")))
    paths = list(itertools.islice(files, options.count))
    vgg16_frames = min(options.vgg16_frames or options.count, options.count)
    errors = contextlib.redirect_stdout(sys.stderr)
    with tempfile.TemporaryDirectory() as folder, errors:
        peaks = steps_of_04(paths, vgg16_frames, Path(folder))
    print(json.dumps(peaks))


if __name__ == "__main__":
    main()
