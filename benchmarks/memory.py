"""Do what notebook 04 does, on a given number of frames, and print the peak memory of this process.

`run.py` starts it in a fresh process for each number of frames. The last line of the output is a
JSON object: the highest memory so far, in MB, after each step.
"""

import argparse
import contextlib
import itertools
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notebooks"))

import keras
import numpy as np

from framevote.transfer import (
    FeatureBatches,
    divide_by_255,
    extract_features,
    largest_value,
    load_frame,
    load_vgg16,
    make_head,
    seconds_a_batch,
    train_head,
)

REPOSITORY = Path(__file__).resolve().parents[1]


def peak_megabytes():
    """The largest memory that this process ever held, file pages included, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: its ru_maxrss starts from what the *parent* held, VmHWM does not
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak if sys.platform == "darwin" else peak * 1024) / 1e6


def stand_in():
    """A network with VGG16's input and output and next to none of its work."""
    layers = [keras.layers.AveragePooling2D(32), keras.layers.Conv2D(512, 1, activation="relu")]
    return keras.Sequential([keras.Input((224, 224, 3)), *layers])


def steps_of_04(paths, vgg16_frames, precision, folder):
    """Run the steps of notebook 04 on the frames; returns {step: peak in MB after it}.

    If `vgg16_frames` is less than all, VGG16 does so many, and then a stand-in does all of them.
    """
    peaks = {}
    weights = REPOSITORY / "weights"
    samples = divide_by_255(np.stack([load_frame(path) for path in paths[:8]]))
    for name in ("float32", "mixed_bfloat16"):
        seconds_a_batch(load_vgg16(weights, name), samples)
    base = load_vgg16(weights, precision)
    peaks["both precisions tried"] = peak_megabytes()
    features_file = folder / "features.npy"
    if vgg16_frames < len(paths):
        extract_features(paths[:vgg16_frames], base, folder / "by_vgg16.npy")
        peaks["VGG16 features"] = peak_megabytes()
        extract_features(paths, stand_in(), features_file)
        peaks["all features"] = peak_megabytes()
    else:
        extract_features(paths, base, features_file)
        peaks["VGG16 features"] = peak_megabytes()
    rows = np.random.default_rng(0).permutation(len(paths))
    labels = np.eye(14, dtype="float32")[rows % 14]
    scale = largest_value(features_file, np.sort(rows))
    validation, train = (
        FeatureBatches(features_file, rows[part], labels[part], scale)
        for part in np.split(np.arange(len(rows)), [len(rows) // 5])
    )
    train_head(
        make_head(14),
        train,
        validation,
        folder / "weights.hdf5",
        max_epochs=2,
        checkpoint_seconds=0,
    )
    peaks["head trained"] = peak_megabytes()
    return peaks


def main():
    """Read the command line, run the steps with their progress on stderr, print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path, help="folder of JPEG frames, used again and again")
    parser.add_argument("count", type=int, help="how many frames")
    parser.add_argument("--vgg16-frames", type=int, help="how many go through VGG16 (default: all)")
    parser.add_argument("--precision", default="float32", help="of VGG16")
    options = parser.parse_args()
    files = itertools.cycle(sorted(options.frames.glob("*.jpg")))
    paths = list(itertools.islice(files, options.count))
    vgg16_frames = min(options.vgg16_frames or options.count, options.count)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        peaks = steps_of_04(paths, vgg16_frames, options.precision, Path(folder))
    print(json.dumps(peaks))


if __name__ == "__main__":
    main()
