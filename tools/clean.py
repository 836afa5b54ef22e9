"""Remove what the course made of a dataset: `python tools/clean.py [DATASET]`, a
name or the folder of its videos (default: mocap). Videos, lists and whatever else
lies there stay.
"""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from course import COURSE

from toolbox.store import one_writer

# What the course writes into data/<dataset>/ (data/README.md says what it is): files,
# and files that have notes and locks beside them.
MADE = """
    source.txt videos.csv unreadable.csv frame_problems.csv frames_left_out.csv
    train_new.csv test_frames.csv split.csv predictions.csv labels.npy
    classes.npy results.json train_1/*.jpg test_1/*.jpg pooled/*/*.np* pooled/*.np*
    motion/*.np* practice/*.np* practice/*/*
"""
NOTED = """
    features test_features preprocessed test_preprocessed modern test_modern
    clips_*x* train_1 test_1 pooled step_* steps record
"""
BESIDE = "npy npy.json json jsonl unfinished lock"


def clean(course, name):
    """Remove what the course made of the dataset that is called so; links are not
    followed. Raises RuntimeError while a run of the dataset is at work.
    """
    data = course / "data" / name
    noted = [f"{name}.{way}" for name in NOTED.split() for way in BESIDE.split()]
    patterns = MADE.split() + noted
    patterns += [f".partial-{pattern}" for pattern in patterns]
    with one_writer(course / "executed" / name / "run.lock", f"data/{name}"):
        found = {file for pattern in patterns for file in data.glob(pattern)}
        linked = {path for path in data.glob("*") if path.is_symlink()}
        made = [file for file in found if file.parent not in linked]
        for file in made:
            file.unlink()
        folders = {(data / pattern).parent for pattern in patterns}
        folders |= {file.parent for file in made}
        for folder in sorted(folders, reverse=True):  # what lies in data, then data
            with suppress(OSError):  # not there, or not empty
                folder.rmdir()
    for kind in ("weights", "classified", "executed"):
        if not (course / kind / name).is_symlink():
            shutil.rmtree(course / kind / name, ignore_errors=True)
    print(f"removed what the course made of {name}: {len(made)} files in data/{name}")
    if data.exists():
        print(f"What else lies in data/{name} stays, such as videos and their lists.")


if __name__ == "__main__":
    choice = Path(*sys.argv[1:2] or [os.environ.get("DATASET") or "mocap"])
    dataset = choice.expanduser().resolve()
    if not dataset.name:
        sys.exit(f"{dataset} is no dataset.")
    try:
        clean(COURSE, dataset.name)
    except RuntimeError as error:
        sys.exit(str(error))
