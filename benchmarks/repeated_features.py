"""Compute notebook 04's features of a dataset whose frames repeat, each different frame once.

The stand-in for UCF101 shows 420 clips under 13,320 names. `python benchmarks/repeated_features.py
FOLDER`, after notebook 03, lets VGG16 see each different frame once and writes `features.npy` as
notebook 04 would have, row for row. Notebook 04 then goes on with the head, which is what a slow
machine can measure at full size this way.
"""

import argparse
import os
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notebooks"))

from framevote.transfer import (
    begin_features,
    divide_by_255,
    extract_features,
    fingerprint_of,
    load_vgg16,
)
from framevote.videos import in_threads, open_dataset, progress, read_csv

REPOSITORY = Path(__file__).resolve().parents[1]


def main():
    """Read the command line; compute."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="the dataset, as in DATASET")
    parser.add_argument("--precision", default="float32", help="of VGG16")
    parser.add_argument("--course", type=Path, default=REPOSITORY, help=argparse.SUPPRESS)
    options = parser.parse_args()
    dataset = open_dataset(options.folder, options.course)
    images = read_csv(dataset.data / "train_new.csv")["image"]
    paths = [dataset.data / "train_1" / image for image in images]
    base = load_vgg16(dataset.weights.parent, options.precision)
    different = repeat_features(paths, base, dataset.data / "features.npy")
    print(f"{len(paths):,} rows of {different:,} different frames")


def repeat_features(paths, base, target):
    """Write the feature file of JPEG files and its note, as `extract_features` does; returns how
    many of the files differ.
    """
    bar = progress(in_threads(digest_of, paths), total=len(paths), desc="compare", unit="frame")
    _, first, which = np.unique(list(bar), return_index=True, return_inverse=True)
    different = target.with_name("different.npy")
    extract_features([paths[index] for index in first], base, different)

    rows = np.load(different, mmap_mode="r")
    shape = (len(paths), *rows.shape[1:])
    fingerprint = fingerprint_of(paths, divide_by_255.__name__, shape)
    facts = {"fingerprint": fingerprint, "precision": base.dtype_policy.name}
    done, unfinished = begin_features(target, shape, **facts)  # notebook 04 may have begun it
    rest = which[done:]
    with open(unfinished, "ab") as file:
        for chunk in progress(np.array_split(rest, len(rest) // 256 + 1), desc="repeat"):
            file.write(rows[chunk].tobytes())
    os.replace(unfinished, target)
    return len(first)


def digest_of(path):
    """SHA-256 of a file's content."""
    return sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
