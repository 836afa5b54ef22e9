"""Compute notebook 04's features of a dataset whose frames repeat, each different frame
once.

The stand-in for UCF101 shows 420 clips under 13,320 names. `python
benchmarks/repeated_features.py FOLDER`, after notebook 03, lets VGG16 see each
different frame once and writes `features.npy` as notebook 04 would have, row for row.
Notebook 04 then goes on with the head, which is what a slow machine can measure at full
size this way.
"""

import argparse
from hashlib import sha256
from pathlib import Path

from toolbox.clips import open_dataset
from toolbox.models import fastest_network
from toolbox.page import in_threads, progress
from toolbox.store import growing_array, read_csv

import numpy as np

from lessons.transfer import divide_by_255, extract_features

REPOSITORY = Path(__file__).resolve().parents[1]


def main():
    """Read the command line; compute."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="the dataset, as in DATASET")
    parser.add_argument(
        "--way", help="how VGG16 is computed (default: the fastest way)"
    )
    parser.add_argument(
        "--course", type=Path, default=REPOSITORY, help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    dataset = open_dataset(options.folder, course=options.course)
    images = read_csv(dataset.data / "train_new.csv")["image"]
    paths = [dataset.data / "train_1" / image for image in images]
    network = fastest_network(dataset.weights.parent, divide_by_255, options.way)
    different = repeat_features(paths, network, dataset.data / "features.npy")
    print(f"{len(paths):,} rows of {different:,} different frames")


def repeat_features(paths, network, target, batch_size=16):
    """Write the feature file of JPEG files and its note, as `extract_features` does;
    returns how many of the files differ.
    """
    bar = progress(
        in_threads(digest_of, paths), total=len(paths), desc="compare", unit="frame"
    )
    _, first, which = np.unique(list(bar), return_index=True, return_inverse=True)
    different = target.with_name("different.npy")
    extract_features([paths[index] for index in first], network, different, batch_size)

    rows = np.load(different, mmap_mode="r")
    shape, of = (len(paths), *network.shape), [network.facts, *paths]
    with growing_array(target, shape, *of, step=batch_size) as (done, append):
        rest = which[done:]  # notebook 04 may have begun it
        for chunk in progress(
            np.array_split(rest, len(rest) // 256 + 1), desc="repeat"
        ):
            append(rows[chunk])
    return len(first)


def digest_of(path):
    """SHA-256 of a file's content."""
    return sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
