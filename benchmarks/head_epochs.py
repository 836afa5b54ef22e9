"""Train notebook 04's head for two epochs on a dataset's features; print the time spent waiting.

`python benchmarks/head_epochs.py FOLDER`, after notebooks 00 to 03 and with features (of notebook
04 or `repeated_features.py`), trains a new head and keeps nothing. Before the first epoch, the
system is asked to forget what it remembers of the feature file, so that rows come from the disk.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notebooks"))

from framevote.transfer import FeatureBatches, make_head, rows_of, run_epoch
from framevote.videos import open_dataset, read_csv

REPOSITORY = Path(__file__).resolve().parents[1]


def forget(path):
    """Ask the system to drop a file from its memory, where it can be asked."""
    if hasattr(os, "posix_fadvise"):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def train_epochs(dataset, split="split_by_frame", batch_size=128):
    """Train a new head for two epochs; yields the rows read, the seconds, and those waited."""
    table, features = read_csv(dataset.data / "train_new.csv"), dataset.data / "features.npy"
    classes = np.load(dataset.data / split / "classes.npy")
    train, validation = (
        FeatureBatches(
            features,
            rows_of(np.load(dataset.data / split / f"{part}_images.npy"), table),
            np.load(dataset.data / split / f"{part}_labels.npy"),
            10.0,  # about the largest feature
            batch_size,
        )
        for part in ("train", "validation")
    )
    head = make_head(len(classes))
    forget(features)
    for epoch in range(2):
        started, waited = time.perf_counter(), train.waiting.seconds + validation.waiting.seconds
        run_epoch(head, train, validation, epoch, seed=42)
        seconds = time.perf_counter() - started
        waited = train.waiting.seconds + validation.waiting.seconds - waited
        yield len(train.rows) + len(validation.rows), seconds, waited


def main():
    """Read the command line; train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="the dataset, as in DATASET")
    parser.add_argument("--course", type=Path, default=REPOSITORY, help=argparse.SUPPRESS)
    options = parser.parse_args()
    dataset = open_dataset(options.folder, options.course)
    for source, (rows, seconds, waited) in zip(
        ("from the disk", "again"), train_epochs(dataset), strict=True
    ):
        print(
            f"{source:14} {rows:,} rows in {seconds:.0f} s, {waited / seconds:.1%} of it waiting "
            "for data",
            flush=True,
        )


if __name__ == "__main__":
    main()
