"""Files that are whole or not there: CSV, JSON, arrays, pictures."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pandas as pd


@contextmanager
def whole_file(path):
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, else remove
    it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


TEXT = ("clip", "class", "group", "part", "video", "image", "predicted", "problem", "reason")


def write_csv(table, path):
    """Write a DataFrame as CSV (UTF-8, no index), whole or not at all."""
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False)


def read_csv(path):
    """Read a CSV file of ours; names stay text, even a class `None` or a clip `007`."""
    header = pd.read_csv(path, nrows=0).columns
    numbers = {name: [""] for name in header.difference(TEXT)}
    types = dict.fromkeys(header.intersection(TEXT), str)
    return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=numbers)


def read_json(path):
    """A JSON file as a dict; empty where there is none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_json(path, **facts):
    """Write facts as a JSON file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(facts), encoding="utf-8")


def save_array(array, path):
    """Save an array as `.npy`, whole or not at all."""
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)


def write_jpeg(frame, path):
    """Write a BGR frame as a JPEG file (OpenCV's usual quality, 95), whole or not at all. Raises
    OSError, if the disk is full for example.
    """
    encoded = cv2.imencode(".jpg", frame)[1]
    with whole_file(path) as temporary:
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
