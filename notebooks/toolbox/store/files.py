"""Files that are whole or not there, and one writer at a time."""

import csv
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import portalocker


@contextmanager
def whole(path):
    """Yield a temporary path beside `path`, for a file or a folder; if the block
    succeeds, what it made there takes the place of `path`, else it is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{path.name}")
    remove(temporary)  # of a run that was killed
    try:
        yield temporary
        if temporary.is_dir():
            remove(path)
        os.replace(temporary, path)
    finally:
        remove(temporary)


def remove(path):
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


JPEG_LIMIT = 65_500  # pixels a side


TEXT = "clip class second third label predicted group part video image problem reason"


def write_csv(table, path):
    """Write a DataFrame as CSV (UTF-8, no index), whole or not at all. Text is
    quoted, so that names with line breaks come back as they were.
    """
    with whole(path) as temporary:
        table.to_csv(
            temporary, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC
        )


def read_csv(path, columns=None):
    """Read a CSV file of ours; names stay text, even a class `None` or a clip `007`.

    columns: the names of those to read, None for all. Raises ValueError, with the
    file's name, if it is damaged or lacks one of them.
    """
    with naming_damaged(path):
        header = pd.read_csv(path, nrows=0, usecols=columns).columns
        numbers = {name: [""] for name in header.difference(TEXT.split())}
        types = dict.fromkeys(header.intersection(TEXT.split()), str)
        return pd.read_csv(
            path, usecols=columns, dtype=types, keep_default_na=False, na_values=numbers
        )


@contextmanager
def naming_damaged(path):
    """In the block, a ValueError becomes one that names the file, one of ours."""
    try:
        yield
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged ({str(error).strip()}): delete it, then run again what"
            " makes it."
        ) from None


def read_json(path, kind=dict):
    """The dict (or another `kind`: list) in a JSON file; an empty one if there is no
    file. Raises ValueError, with the file's name, if it is damaged.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return kind()
    with naming_damaged(path):
        found = json.loads(text)
        if not isinstance(found, kind):
            raise ValueError(f"no {kind.__name__} in it")
    return found


def write_json(path, **facts):
    """Write facts as a JSON file, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(json.dumps(facts), encoding="utf-8")


def save_array(array, path):
    """Save an array as `.npy`, whole or not at all."""
    with whole(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)


def write_jpeg(frame, path):
    """Write a BGR frame as a JPEG file (OpenCV's usual quality, 95), whole or not at
    all.

    Raises ValueError if it is larger than JPEG can hold (65,500 pixels a side), and
    OSError if the disk is full, for example.
    """
    height, width = frame.shape[:2]
    if max(height, width) > JPEG_LIMIT:
        raise ValueError(
            f"{width} x {height} pixels are too many for JPEG ({JPEG_LIMIT:,} a side)"
        )
    encoded = cv2.imencode(".jpg", frame)[1]
    with whole(path) as temporary:
        temporary.write_bytes(encoded)


def is_whole_jpeg(path):
    """Whether a file starts and ends as a JPEG file does."""
    try:
        with open(path, "rb") as file:
            starts = file.read(2) == b"\xff\xd8"
            file.seek(-2, 2)
            return starts and file.read(2) == b"\xff\xd9"
    except OSError:  # missing, or too short to have an end
        return False


@contextmanager
def one_writer(path, what, wait=False):
    """Hold the lock file `path` while the block runs, which gets it open, for writing;
    the system lets go of it if we are killed.

    what: what is being written, for the message; wait: whether to wait for another
    process that holds it; if not, that raises RuntimeError, with its number. Source:
    portalocker's documentation (fcntl or Windows' locks underneath).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            portalocker.lock(
                file, portalocker.LOCK_EX | (0 if wait else portalocker.LOCK_NB)
            )
        except portalocker.LockException:
            holder = path.read_text(encoding="utf-8") or "another"
            raise RuntimeError(
                f"Process {holder} is writing {what}. Wait until it has finished, or"
                " stop it."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file
