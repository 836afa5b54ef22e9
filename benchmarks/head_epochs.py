"""Train notebook 04's head for two epochs on a dataset's features; print the time spent
reading.

`python benchmarks/head_epochs.py FOLDER`, after notebooks 00 to 03 and with features
(of notebook 04 or `repeated_features.py`), trains a new head and keeps nothing. Before
the first epoch, the system is asked to forget what it remembers of the feature file, so
that rows come from the disk.
"""

import argparse
import os
import time
from pathlib import Path

from toolbox.clips import open_dataset
from toolbox.models import FusedAdam
from toolbox.store import read_csv

import numpy as np

from lessons.transfer import FeatureBatches, make_head

REPOSITORY = Path(__file__).resolve().parents[1]


def forget(path):
    """Ask the system to drop a file from its memory, where it can be asked."""
    if hasattr(os, "posix_fadvise"):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class TimedBatches(FeatureBatches):
    """Batches that count the seconds that reading them took."""

    seconds = 0.0

    def __getitem__(self, index):
        started = time.perf_counter()
        batch = super().__getitem__(index)
        self.seconds += time.perf_counter() - started
        return batch


def train_epochs(dataset, split="split_by_frame", batch_size=128):
    """Train a new head for two epochs; yields the rows read, the seconds, and those
    that reading took, most of them beside the training.
    """
    features = dataset.data / "features.npy"
    part_of = read_csv(dataset.data / "split.csv")[split]
    labels = np.load(dataset.data / "labels.npy")
    rows = [np.flatnonzero(part_of == part) for part in ("train", "validation")]
    head = make_head(labels.shape[1])
    head.compile(
        FusedAdam(0.001), loss="categorical_crossentropy", metrics=["accuracy"]
    )
    forget(features)
    for epoch in range(2):
        train, validation = (  # 10 is about the largest feature
            TimedBatches(features, chosen, labels[chosen], 10.0, batch_size, seed=epoch)
            for chosen in rows
        )
        started = time.perf_counter()
        head.fit(train, validation_data=validation, shuffle=False, verbose=0)
        seconds = time.perf_counter() - started
        yield sum(map(len, rows)), seconds, train.seconds + validation.seconds


def main():
    """Read the command line; train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="the dataset, as in DATASET")
    parser.add_argument(
        "--course", type=Path, default=REPOSITORY, help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    dataset = open_dataset(options.folder, course=options.course)
    for source, (rows, seconds, reading) in zip(
        ("from the disk", "again"), train_epochs(dataset), strict=True
    ):
        print(
            f"{source:14} {rows:,} rows in {seconds:.0f} s; reading took {reading:.1f}"
            " s, beside the training",
            flush=True,
        )


if __name__ == "__main__":
    main()
