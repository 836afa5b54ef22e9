"""Files that are whole or not there, and one writer at a time."""

import csv
import json
import os
import re
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import portalocker

# a part of a video, in seconds: https://www.w3.org/TR/media-frags/#naming-time
FRAGMENT = re.compile(r"#t=(?P<start>\d+(\.\d+)?),(?P<end>\d+(\.\d+)?)$")


def file_of(path):
    """The path of the file that a clip lies in: without the fragment of a part of a
    video, such as `game.mp4#t=12.5,18`, unless a file has that very name.
    """
    fragment = FRAGMENT.search(path.name)
    if not fragment or path.exists():
        return path
    return path.with_name(path.name[: fragment.start()])


@contextmanager
def whole(path):
    """Yield a temporary path for a file, which takes the place of `path` if the block
    succeeds, and is removed if not; or for a folder, if there is nothing at `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{path.name}")
    remove(temporary)  # of a run that was killed
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        remove(temporary)


def remove(path):
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


TEXT = """
    answered class classifier clip group image label next note part predicted problem
    reason recording summary video
"""


def write_csv(table, path):
    """Write a DataFrame as CSV (UTF-8, no index), whole or not at all; text quoted."""
    settings = {"lineterminator": "\n", "quoting": csv.QUOTE_NONNUMERIC}
    with whole(path) as temporary:
        table.to_csv(temporary, index=False, **settings)


def read_csv(path, columns=None):
    """Read a CSV file of ours, or some of its columns; names stay text, even a class
    `None` or a clip `007`. Raises ValueError, with the file's name, if it is damaged.
    """
    with naming_damaged(path):
        header = pd.read_csv(path, nrows=0, usecols=columns).columns
        numbers = {name: [""] for name in header.difference(TEXT.split())}
        types = dict.fromkeys(header.intersection(TEXT.split()), str)
        settings = {"dtype": types, "keep_default_na": False, "na_values": numbers}
        return pd.read_csv(path, usecols=columns, **settings)


@contextmanager
def naming_damaged(path):
    """In the block, a ValueError becomes one that names the file, one of ours."""
    try:
        yield
    except ValueError as error:
        why = f"{path} is damaged ({str(error).strip()})"
        raise ValueError(f"{why}: delete it, then run again what makes it.") from None


def read_json(path, kind=dict):
    """The dict (or list, by `kind`) in a JSON file; an empty one if there is no file.
    Raises ValueError, with the file's name, if it is damaged.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return kind()
    with naming_damaged(path):
        if isinstance(found := json.loads(text), kind):
            return found
        raise ValueError(f"no {kind.__name__} in it")


def write_json(path, **facts):
    """Write facts as a JSON file, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(json.dumps(facts), encoding="utf-8")


def save_array(array, path):
    """Save an array as `.npy`, whole or not at all."""
    with whole(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)


def write_jpeg(frame, path):
    """Write a BGR frame as a JPEG file (quality 95), whole or not at all. Raises
    ValueError if it has more than 65,500 pixels a side, OSError if the disk is full.
    """
    height, width = frame.shape[:2]
    if max(height, width) > 65_500:
        size = f"{width} x {height} pixels"
        raise ValueError(f"{size} are too many for JPEG (65,500 a side)")
    with whole(path) as temporary:
        temporary.write_bytes(cv2.imencode(".jpg", frame)[1])


def is_whole_jpeg(path):
    """Whether a file starts and ends as a JPEG file does."""
    try:
        with open(path, "rb") as file:
            starts = file.read(2) == b"\xff\xd8"
            file.seek(-2, 2)
            return starts and file.read(2) == b"\xff\xd9"
    except OSError:  # missing, or too short to have an end
        return False


def number_in(path):
    """The process's number in a lock file; "" where nobody may read what is locked."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:  # Windows
        return ""


@contextmanager
def one_writer(path, what, wait=False):
    """Hold the lock file `path` while the block runs, which gets it open, for writing;
    the system lets go of it if we are killed. Another process that holds it is waited
    for, or without `wait` raises RuntimeError, with its number; what: for the message.
    """
    flags = portalocker.LOCK_EX | portalocker.LOCK_NB
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        while True:
            try:
                portalocker.lock(file, flags)
            except portalocker.AlreadyLocked:
                if not wait:
                    who = f"Process {number_in(path) or 'another'}"
                    advice = "Wait until it has finished, or stop it."
                    raise RuntimeError(f"{who} is writing {what}. {advice}") from None
                time.sleep(0.2)
                continue
            except portalocker.LockException:
                print(f"This drive knows no locks: nobody else may write {what} now.")
            break
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file
