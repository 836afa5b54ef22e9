"""Remove what the course made of a dataset: `python tools/clean.py [DATASET]`, a
name or the folder of its videos (default: mocap). Videos, lists and whatever else
lies there stay.
"""

import os
import shutil
import sys
from pathlib import Path

from course import COURSE

from toolbox.store import one_writer

# What the course writes into data/<dataset>/ (data/README.md says what it is): files of
# these names with one of the suffixes, and files with the given suffix in these
# folders.
NAMES = {"classes", "features", "frame_problems", "frames_left_out", "labels", "pooled"}
NAMES |= {
    "predictions",
    "record",
    "results",
    "source",
    "split",
    "test_1",
    "test_features",
}
NAMES |= {"test_frames", "to_label", "train_1", "train_new", "unreadable", "videos"}
SUFFIXES = (".csv", ".json", ".jsonl", ".lock", ".npy", ".txt", ".unfinished")
FOLDERS = {"train_1": ".jpg", "test_1": ".jpg", "pooled": ".npz", "motion": ".npz"}
FOLDERS |= {"kinetics": ".npz", "features_parquet": ".parquet"}


def is_made(file):
    """Whether a file at the top of `data/<dataset>/` is one that the course made
    there.
    """
    stem = file.name.removeprefix(".partial-").split(".")[0]
    return file.suffix in SUFFIXES and (stem in NAMES or stem.startswith("clips_"))


def clean(course, name):
    """Remove what the course made of the dataset that is called so; links are not
    followed.

    Raises RuntimeError while a run of the dataset is at work.
    """
    data = course / "data" / name
    with one_writer(course / "executed" / name / "run.lock", f"data/{name}"):
        made = [file for file in data.glob("*") if file.is_file() and is_made(file)]
        for folder, suffix in FOLDERS.items():
            if not (data / folder).is_symlink():
                made += [
                    file for file in (data / folder).glob("*") if file.suffix == suffix
                ]
        for file in made:
            file.unlink()
        for folder in [*(data / folder for folder in FOLDERS), data]:
            if (
                folder.is_dir()
                and not folder.is_symlink()
                and not any(folder.iterdir())
            ):
                folder.rmdir()
    for kind in ("weights", "classified", "executed"):
        if not (course / kind / name).is_symlink():
            shutil.rmtree(course / kind / name, ignore_errors=True)
    print(
        f"removed what the course made of {name}, {len(made)} files of it in"
        f" data/{name}"
    )
    if data.exists():
        print(f"What else lies in data/{name} stays, such as videos and their lists.")


if __name__ == "__main__":
    dataset = (
        Path(*sys.argv[1:2] or [os.environ.get("DATASET") or "mocap"])
        .expanduser()
        .resolve()
    )
    if not dataset.name:
        sys.exit(f"{dataset} is no dataset.")
    try:
        clean(COURSE, dataset.name)
    except RuntimeError as error:
        sys.exit(str(error))
