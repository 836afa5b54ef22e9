"""Where a dataset lies, and which one the course works on."""

from dataclasses import dataclass
from pathlib import Path

from toolbox.store import check_step, file_of, read_csv, read_json, write_json

BUILT_IN = {
    "mocap": "It's part of this repository: `git checkout data/mocap` restores it.",
    "ucf101": "Notebook 00 fetches UCF101, or says how to unpack it there by hand.",
}
FRAMES = {"train_1", "test_1"}  # folders that the course removes to make them anew
ADVICE = "Check the path in notebook 00's DATASET."


@dataclass(frozen=True)
class Dataset:
    """The places of one dataset: its `folder` of videos, and `data` and `weights`
    for what the course makes of it.
    """

    name: str
    folder: Path
    data: Path
    weights: Path


def open_dataset(choice=None, after=None, course="..", advice=ADVICE):
    """Find a dataset, and print one line that says which it is and why.

    choice: "mocap", "ucf101", the path of a folder of class folders, or None for the
    one that `choose_dataset` remembers (mocap, if none); after: the notebook, such as
    "04", that must have been run on it, and whose result must still fit; course: the
    folder that holds `data/` and `weights/`; advice: what to do about a path that is
    not there, as a sentence. Returns a Dataset.

    Raises FileNotFoundError if the folder is not there or a notebook was not run,
    NotADirectoryError if the folder is a file, and ValueError if its name is taken, by
    a dataset of the course or by a folder that was used before, if something else
    lies where the course writes frames, or if an earlier notebook was run again since.
    """
    chosen = read_json(Path(course, "data", "chosen.json")).get("dataset")
    dataset = find_dataset(choice or chosen or "mocap", course, advice)
    default = "built in (notebook 00 can choose another)"
    why = "as DATASET says" if choice else "as notebook 00 chose" if chosen else default
    where = "" if dataset.name in BUILT_IN else f" in {dataset.folder.parent}"
    print(f"dataset: {dataset.name}{where}, {why}")
    if after:
        check_step(dataset, after)
    return dataset


def choose_dataset(choice, course=".."):
    """Open a dataset as `open_dataset` does, and remember it for all later
    notebooks, in `data/chosen.json` (and where the videos are, in its `source.txt`).
    """
    dataset = find_dataset(choice, course)
    if dataset.name in BUILT_IN:
        remembered = dataset.name
    else:
        remembered = str(dataset.folder)
        remember_folder(dataset)
    write_json(Path(course, "data", "chosen.json"), dataset=remembered)
    print(f"dataset: {dataset.name}, for this and all later notebooks")
    return dataset


def remember_folder(dataset):
    """Note of what folder the things in a dataset's `data` are made: `source.txt`."""
    if dataset.name not in BUILT_IN:
        dataset.data.mkdir(parents=True, exist_ok=True)
        source = dataset.data / "source.txt"
        source.write_text(str(dataset.folder), encoding="utf-8")


def was_moved(folder, data):
    """Whether a folder has one of the videos in the table that was made of another."""
    if not (data / "videos.csv").exists():
        return True
    videos = read_csv(data / "videos.csv")
    sizes = videos.get("bytes", [None] * len(videos))
    files = [file_of(folder / video) for video in videos["video"]]
    return any(
        file.is_file() and size in (None, file.stat().st_size)
        for file, size in zip(files, sizes, strict=True)
    )


def find_dataset(choice, course, advice=ADVICE):
    """The Dataset that a choice names; errors as in `open_dataset`."""
    course = Path(course).resolve()
    homes = {name: course / "data" / name for name in BUILT_IN}
    folder = homes.get(str(choice)) or Path(choice).expanduser().resolve()
    built_in = folder in homes.values()
    if not folder.exists():
        advice = BUILT_IN[folder.name] if built_in else advice
        raise FileNotFoundError(f"There is no folder {folder}. {advice}")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, not a folder of class folders.")
    if not folder.name:
        raise ValueError(f"{folder} is a drive's root: name a folder in it.")
    if folder.name.casefold() in BUILT_IN and not built_in:
        raise ValueError(f"{folder}: the course has a dataset of that name; rename it.")
    data = course / "data" / folder.name
    for file in () if built_in else data.glob("t*_1/[!.]*"):
        if file.parent.name in FRAMES and file.suffix != ".jpg":
            raise ValueError(f"{file.parent} is for frames; move {file.name} away.")
    source = data / "source.txt"
    if not built_in and source.exists():
        earlier = Path(source.read_text(encoding="utf-8"))
        if earlier != folder and (earlier.exists() or not was_moved(folder, data)):
            raise ValueError(
                f"{data} holds what was made of {earlier}. Rename {folder}, or remove"
                f" what was made with `make clean DATASET={folder.name}`."
            )
    return Dataset(folder.name, folder, data, course / "weights" / folder.name)
