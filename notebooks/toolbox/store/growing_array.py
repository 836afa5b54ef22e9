"""An array of features on disk that grows batch by batch and survives interruption."""

import os
import time

from toolbox.store.files import one_writer, read_json, write_json
from toolbox.store.made import digest_of

import numpy as np


class FeatureFile:
    """An array file (n, ...) of float16 that is appended to, and goes on where it
    stopped.

    with FeatureFile(target, shape, facts) as file: from row `file.done` on, call
    `file.append(rows)`. Rows of an earlier run count if it wrote down the same facts;
    with other facts the file begins anew. The rows lie in `<target>.unfinished` until
    all are there.

    target: path of the `.npy` file; shape: of the whole array; facts: what the rows
    depend on, see `digest_of`; way: how they are computed, which doesn't matter beyond
    rounding; step: rows are only ever counted in whole multiples of this (the batch
    size). The note `<target>.json` has the way, and the pace of the last run
    (`rows_per_second`). Raises RuntimeError while another process writes the same file.
    """

    def __init__(self, target, shape, facts, way="", step=1):
        self.target, self.shape, self.way, self.step = target, tuple(shape), way, step
        self.facts = digest_of(shape, *facts)
        self.note = target.with_suffix(".json")
        self.unfinished = target.with_suffix(".unfinished")
        self.row_bytes = 2 * int(np.prod(self.shape[1:]))

    def __enter__(self):
        self.lock = one_writer(self.target.with_suffix(".lock"), self.target.name)
        self.lock.__enter__()
        same = is_known(self.note) and read_json(self.note).get("facts") == self.facts
        if same and self.is_whole():
            self.done = self.shape[0]
        elif same and self.unfinished.exists():
            self.done = self.keep_whole_batches()
        else:
            self.done = self.begin()
        self.begun, self.started = self.done, time.monotonic()
        return self

    def __exit__(self, error, *_):
        if error is None and self.done == self.shape[0] and self.unfinished.exists():
            os.replace(self.unfinished, self.target)
        if self.done > self.begun:
            pace = (self.done - self.begun) / (time.monotonic() - self.started)
            write_json(self.note, **{**read_json(self.note), "rows_per_second": pace})
        self.lock.__exit__(None, None, None)

    def append(self, rows):
        """Append rows (batch, ...) of any float type."""
        with open(self.unfinished, "ab") as file:
            file.write(np.asarray(rows, "float16").tobytes())
        self.done += len(rows)

    def begin(self):
        """Start an empty array file; what was there of other facts goes."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.note.unlink(missing_ok=True)
        self.target.unlink(missing_ok=True)
        with open(self.unfinished, "wb") as file:
            header = {"descr": "<f2", "fortran_order": False, "shape": self.shape}
            np.lib.format.write_array_header_1_0(file, header)
            size = file.tell()
        write_json(self.note, facts=self.facts, way=self.way, header=size)
        return 0

    def keep_whole_batches(self):
        """Cut off what was not written whole; returns how many rows are there."""
        header = read_json(self.note)["header"]
        rows = max(0, self.unfinished.stat().st_size - header) // self.row_bytes
        if rows < self.shape[0]:
            rows -= rows % self.step
        size = header + rows * self.row_bytes
        if self.unfinished.stat().st_size < size:  # not even the header is whole
            return self.begin()
        os.truncate(self.unfinished, size)
        return rows

    def is_whole(self):
        """Whether the finished file is there with all its bytes."""
        size = read_json(self.note)["header"] + self.shape[0] * self.row_bytes
        return self.target.exists() and self.target.stat().st_size == size


def is_known(note):
    """Whether there is a note that can be read; a damaged one counts as none."""
    try:
        return bool(read_json(note))
    except ValueError:
        return False


def way_of(target):
    """How the rows of a feature file are or were computed, such as "ncnn float32";
    None if there are none.
    """
    note = target.with_suffix(".json")
    return (read_json(note).get("way") or None) if is_known(note) else None
